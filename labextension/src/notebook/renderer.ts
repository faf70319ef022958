/**
 * Shows requests where notebooks show outputs.
 *
 * Rules of this file
 * - The renderer is added to each notebook's own registry, so that its controls have that notebook's kernel.
 */

import { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ITranslator } from '@jupyterlab/translation';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';
import { Asking, askingOf } from './asking';
import { NotebookControls } from './notebook';
import { Keeper, Seeker } from './places';
import {
  MIME_TYPE,
  readHead,
  readPlace,
  readSnapshot
} from '../protocol/protocol';
import { IPreferences, Preferences } from '../settings';
import { show } from '../view/dom';
import { RequestView } from '../view/view';

/** Draws one output. */
class RequestRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(
    panel: NotebookPanel,
    translator: ITranslator,
    preferences: Preferences
  ) {
    super();
    this.addClass('jp-durable-output');
    this._asking = askingOf(panel, translator);
    this._controls = new NotebookControls(panel, this.node, translator);
    this._view = new RequestView(
      this._controls,
      translator.load('jupyter_durable')
    );
    this.node.append(this._view.node);
    this._preferences = preferences;
    this._view.prefer(preferences.now);
    preferences.changed.connect(this._onPreferences, this);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const given = model.data[MIME_TYPE];
    const head = readHead(given);
    const place = readPlace(given);
    if (head !== null) {
      this._seeker?.dispose();
      this._keeper?.dispose();
      this._controls.about(head.request.id, model.trusted);
      this._view.show(given);
      show(this._view.node, true);
    } else if (place !== null && this._seeker === null) {
      show(this._view.node, false);
      const found = (request: string) => this._fill(place, request);
      const cell = () => this._controls.cell;
      this._seeker = new Seeker(this._asking, place, cell, found);
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._preferences.changed.disconnect(this._onPreferences, this);
      this._seeker?.dispose();
      this._keeper?.dispose();
      this._view.dispose();
      this._controls.dispose();
    }
    super.dispose();
  }

  /** Show the request of a place that no output fills. */
  private _fill(place: string, request: string): void {
    this._asking
      .ask(request)
      .then(reply => {
        const snapshot = readSnapshot(reply);
        if (snapshot !== null && !this.isDisposed) {
          this._controls.about(request, false);
          this._view.show({ ...snapshot, display: place });
          show(this._view.node, true);
          const cell = () => this._controls.cell;
          this._keeper = new Keeper(this._asking, place, cell, request);
        }
      })
      .catch(() => undefined); // not known, or not of this notebook: an empty output stays one
  }

  private _onPreferences(_: Preferences, now: Readonly<IPreferences>): void {
    this._view.prefer(now);
  }

  private _asking: Asking;
  private _controls: NotebookControls;
  private _seeker: Seeker | null = null;
  private _keeper: Keeper | null = null;
  private _preferences: Preferences;
  private _view: RequestView;
}

/** Adds the renderer to each notebook that opens. */
export class NotebookExtension implements DocumentRegistry.IWidgetExtension<
  NotebookPanel,
  INotebookModel
> {
  constructor(translator: ITranslator, preferences: Preferences) {
    this._translator = translator;
    this._preferences = preferences;
  }

  createNew(panel: NotebookPanel): IDisposable {
    const { rendermime } = panel.content;
    rendermime.addFactory(
      {
        safe: true,
        mimeTypes: [MIME_TYPE],
        defaultRank: 10,
        createRenderer: () =>
          new RequestRenderer(panel, this._translator, this._preferences)
      },
      10
    );
    return new DisposableDelegate(() => rendermime.removeMimeType(MIME_TYPE));
  }

  private _translator: ITranslator;
  private _preferences: Preferences;
}
