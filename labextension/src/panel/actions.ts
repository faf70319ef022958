/**
 * What can be done with a request of the list.
 *
 * Rules of this file
 * - Each says beforehand why it cannot be done; what fails is told, none is lost.
 * - Code of the user's runs where the user asked for it, after a question where a kernel has to be started for it.
 */

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { Kernel } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { askKernel } from '../requests/channel';
import { load } from '../requests/extension';
import { underway } from '../requests/live';
import { IWish } from '../view/controls';
import { visible } from '../view/dom';
import { IListed, Requests } from '../requests/requests';
import { IServer } from '../requests/server';
import {
  cancelRefusal,
  deleteRefusal,
  exportRefusal,
  placeRefusal,
  replayRefusal
} from './listed';
import { Notebooks } from './notebooks';

export interface IAction {
  id: string;
  label: string;
  /** Why it cannot be done; null when it can. */
  refusal: string | null;
  act(): void;
}

/** What opens for a request. */
export interface IOpens {
  tab(one: IListed): void;
  /** The dialog in which its application is exported. */
  export(one: IListed): Promise<void>;
}

/** Where a request's answers are. */
export function routeOf(one: Pick<IListed, 'store' | 'id'>, verb: string) {
  return `requests/${one.store || 'any'}/${one.id}/${verb}`;
}

export class Actions {
  constructor(
    server: IServer,
    requests: Requests,
    notebooks: Notebooks,
    opens: IOpens,
    trans: TranslationBundle
  ) {
    this._server = server;
    this._requests = requests;
    this._notebooks = notebooks;
    this._opens = opens;
    this._trans = trans;
  }

  /** All of them, as a menu shows them. */
  of(one: IListed): IAction[] {
    const trans = this._trans;
    return [
      this._action('open', trans.__('Open as Tab'), null, async () =>
        this._opens.tab(one)
      ),
      this._action(
        'go',
        trans.__('Go to Notebook and Cell'),
        placeRefusal(one, trans),
        () => this._goTo(one)
      ),
      this._action(
        'cancel',
        trans.__('Cancel'),
        cancelRefusal(one, trans),
        () => this.cancel(one)
      ),
      this._action(
        'replay',
        trans.__('Replay'),
        replayRefusal(one, this._notebooks.alive(one), trans),
        () => this.replay(one)
      ),
      this._action(
        'pin',
        one.pinned ? trans.__('Unpin') : trans.__('Pin'),
        null,
        () => this._pin(one)
      ),
      this._action(
        'delete',
        trans.__('Delete…'),
        deleteRefusal(one, trans),
        () => this._delete(one)
      ),
      this._action(
        'export',
        trans.__('Export Application…'),
        exportRefusal(one, this._notebooks.shows(one), trans),
        () => this._export(one)
      ),
      this._action('copy', trans.__('Copy Request Id'), null, () =>
        navigator.clipboard.writeText(one.id)
      )
    ];
  }

  /** The one that most people want next; null when there is nothing to be done. */
  first(one: IListed): IAction | null {
    const wanted = underway(one.status)
      ? 'cancel'
      : one.status === 'succeeded'
        ? ''
        : 'replay';
    return this.of(one).find(action => action.id === wanted) ?? null;
  }

  /** Stop a request: its kernel hears at once, the store is the way to any other process. */
  async cancel(one: IListed): Promise<void> {
    const kernel = this._notebooks.kernelOf(one);
    const content = { op: 'cancel', request: one.id };
    try {
      if (kernel === null) {
        throw new Error();
      }
      await askKernel(kernel, content, this._trans);
    } catch {
      await this._server.post(routeOf(one, 'cancel'));
    }
  }

  /** Run a request again, in its notebook's kernel; where none lives, in a new one if the user wants that. */
  async replay(one: IListed, wish: IWish = {}): Promise<void> {
    const alive = this._notebooks.kernelOf(one);
    const kernel = alive ?? (await this._startedFor(one));
    if (kernel === null) {
      return;
    }
    await load(kernel, one.id, this._server, this._trans);
    const content = {
      op: 'replay',
      request: one.id,
      display: alive ? `${one.id}-${Math.max(one.runs, 1)}` : '',
      ...wish
    };
    await askKernel(kernel, content, this._trans);
    await this._requests.refresh();
  }

  /** A new kernel with what a replay needs; null when the user wants none. */
  private async _startedFor(
    one: IListed
  ): Promise<Kernel.IKernelConnection | null> {
    if (!(await this._agreed(one))) {
      return null;
    }
    return this._notebooks.start(one);
  }

  /** Whether the user wants a kernel started, which this page's notebook shows or no notebook does. */
  private async _agreed(one: IListed): Promise<boolean> {
    const trans = this._trans;
    const path = visible(one.path ?? '');
    const name = visible(one.application);
    const shown = this._notebooks.shows(one);
    const { button } = await showDialog({
      title: trans.__('Replay in a new kernel?'),
      body: shown
        ? trans.__(
            'No kernel of %1 is alive. Open the notebook with a new kernel and replay %2 there? What succeeded is served from checkpoints; other cells do not run.',
            path,
            name
          )
        : trans.__(
            'No kernel of %1 is alive. Start one for it and replay %2 there? What succeeded is served from checkpoints; no cell runs. The notebook has this kernel when you open it.',
            path,
            name
          ),
      buttons: [
        Dialog.cancelButton(),
        Dialog.okButton({
          label: shown
            ? trans.__('Open and Replay')
            : trans.__('Start and Replay')
        })
      ]
    });
    return button.accept;
  }

  private async _goTo(one: IListed): Promise<void> {
    if (!(await this._notebooks.goTo(one))) {
      Notification.warning(
        this._trans.__(
          'The notebook has no cell any more that made %1.',
          one.id
        ),
        { autoClose: 5000 }
      );
    }
  }

  private async _export(one: IListed): Promise<void> {
    const panel = await this._notebooks.open(one);
    await panel?.sessionContext.ready;
    await this._opens.export(one);
  }

  private async _pin(one: IListed): Promise<void> {
    await this._server.post(routeOf(one, 'pin'), { pinned: !one.pinned });
  }

  private async _delete(one: IListed): Promise<void> {
    const trans = this._trans;
    const { button } = await showDialog({
      title: trans.__('Delete this request?'),
      body: trans.__(
        '%1 (%2) goes for good, with its checkpoints: running its cell again then runs every call anew.',
        visible(one.application),
        one.id
      ),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: trans.__('Delete') })
      ]
    });
    if (button.accept) {
      await this._server.post(routeOf(one, 'delete'));
    }
  }

  /** What has changed a request, or made one, is in the list as soon as it is done. */
  listed<T>(done: Promise<T>): Promise<T> {
    return done.finally(() => void this._requests.refresh());
  }

  private _action(
    id: string,
    label: string,
    refusal: string | null,
    body: () => Promise<void>
  ): IAction {
    return { id, label, refusal, act: () => this._do(label, body) };
  }

  private _do(label: string, body: () => Promise<void>): void {
    void this.listed(body()).catch((error: Error) => {
      const text = visible(`${label.replace('…', '')}: ${error.message}`);
      Notification.error(text, { autoClose: false });
    });
  }

  private _server: IServer;
  private _requests: Requests;
  private _notebooks: Notebooks;
  private _opens: IOpens;
  private _trans: TranslationBundle;
}
