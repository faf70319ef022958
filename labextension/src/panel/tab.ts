/**
 * One request as a tab: the same view as under its cell, fed by the store.
 *
 * Rules of this file
 * - While the request runs and the tab is in sight the store is asked every second; else when the list says that
 *   something has changed.
 * - A request that no store has is said to be gone, with what to do; a tab that was restored waits for the answer.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { allow, button, element, setText, show, visible } from '../view/dom';
import { underway } from '../requests/live';
import { IListed, readOne, Requests } from '../requests/requests';
import { IServer } from '../requests/server';
import { RequestView } from '../view/view';
import { Actions, routeOf } from './actions';
import { ServerControls } from './controls';
import { placeRefusal } from './listed';
import { Notebooks } from './notebooks';

const RUNNING_MILLISECONDS = 1000;

/** What a tab stands on. */
export interface ITabWorld {
  server: IServer;
  requests: Requests;
  notebooks: Notebooks;
  actions: Actions;
  trans: TranslationBundle;
}

export class RequestTab extends Widget {
  constructor(one: IListed, world: ITabWorld, timeline: boolean) {
    super();
    const { server, notebooks, actions, trans } = world;
    this._world = world;
    this._controls = new ServerControls(one, server, notebooks, actions, trans);
    this._view = new RequestView(this._controls, trans);
    this._view.prefer({ opens: 'tree', timeline });
    this._go = button(trans.__('Go to cell'), 'entries-button', () =>
      this._act()
    );
    this._bar.append(this._where, this._go);
    this._message.setAttribute('role', 'status');
    setText(this._message, trans.__('Looking…'));
    this.addClass('jp-durable-single');
    const shown = element('div', 'output', [this._view.node]);
    this.node.append(this._bar, this._message, shown);
    show(this._view.node, false);
    world.requests.changed.connect(this._onList, this);
    this._label();
    void this._look();
  }

  get one(): IListed {
    return this._controls.one;
  }

  dispose(): void {
    if (!this.isDisposed) {
      window.clearTimeout(this._timer);
      this._world.requests.changed.disconnect(this._onList, this);
      this._view.dispose();
      this._controls.dispose();
    }
    super.dispose();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this._look();
  }

  private _onList(): void {
    const { id, store } = this.one;
    const fresh = this._world.requests.list.find(
      one => one.id === id && (store === '' || one.store === store)
    );
    if (fresh && changed(this.one, fresh)) {
      void this._look();
    }
  }

  /** What the store says now; again in a while when it runs. */
  private async _look(): Promise<void> {
    if (this._looking || this.isDisposed) {
      return;
    }
    this._looking = true;
    window.clearTimeout(this._timer);
    const { server } = this._world;
    try {
      const [info, snapshot] = await Promise.all([
        server.get(routeOf(this.one, 'info')),
        server.get(routeOf(this.one, 'snapshot'))
      ]);
      if (!this.isDisposed) {
        this._take(readOne((info ?? {}) as Record<string, unknown>), snapshot);
      }
    } catch (error) {
      this._say((error as Error).message);
    }
    this._looking = false;
    if (underway(this.one.status) && this.isVisible) {
      this._timer = window.setTimeout(
        () => void this._look(),
        RUNNING_MILLISECONDS
      );
    }
  }

  private _take(one: IListed, snapshot: unknown): void {
    this._controls.one = one;
    const shown = this._view.show(snapshot);
    show(this._view.node, shown);
    this._say(
      shown
        ? ''
        : this._world.trans.__(
            'The server answers in a way that this page does not know: bring both to the same version of jupyter-durable.'
          )
    );
    this._label();
    this._controls.changed();
  }

  private _say(text: string): void {
    setText(this._message, visible(text));
    show(this._message, text !== '');
  }

  private _label(): void {
    const { application, notebook, path, id } = this.one;
    const { trans } = this._world;
    this.title.label = visible(application) || id;
    this.title.caption = `${id}\n${visible(notebook ?? '')}`;
    setText(this._where, visible(path ?? notebook ?? ''));
    allow(this._go, placeRefusal(this.one, trans), '');
  }

  private _act(): void {
    const go = this._world.actions
      .of(this.one)
      .find(action => action.id === 'go');
    if (go && go.refusal === null) {
      go.act();
    }
  }

  private _world: ITabWorld;
  private _controls: ServerControls;
  private _view: RequestView;
  private _bar = element('div', 'single-bar');
  private _where = element('span', 'single-where');
  private _go: HTMLButtonElement;
  private _message = element('div', 'entries-message');
  private _looking = false;
  private _timer = 0;
}

function changed(before: IListed, now: IListed): boolean {
  return (
    before.status !== now.status ||
    before.runs !== now.runs ||
    before.finished_at !== now.finished_at
  );
}
