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
import { NotebookControls } from './notebook';
import { MIME_TYPE, readHead } from '../protocol/protocol';
import { IPreferences, Preferences } from '../settings';
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
    if (head !== null) {
      this._controls.about(head.request.id, model.trusted);
      this._view.show(given);
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._preferences.changed.disconnect(this._onPreferences, this);
      this._view.dispose();
      this._controls.dispose();
    }
    super.dispose();
  }

  private _onPreferences(_: Preferences, now: Readonly<IPreferences>): void {
    this._view.prefer(now);
  }

  private _controls: NotebookControls;
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
