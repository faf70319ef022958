/**
 * One request on the server's own page: the view of the notebook, fed by the server.
 *
 * Rules of this file
 * - The server tells when something has changed (a long poll); while the request runs it is looked at every second, or
 *   less often where a look takes long.
 * - What was seen stays when the server is away; what there is none of says so.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { underway } from '../requests/live';
import { IListed, readOne } from '../requests/requests';
import {
  allow,
  button,
  element,
  setAttribute,
  setText,
  show,
  visible
} from '../view/dom';
import { RequestView } from '../view/view';
import { PageControls } from './controls';
import { PageServer } from './server';

const RUNNING_SECONDS = 1;
/** Less than what a server is given to end. */
const QUIET_SECONDS = 10;
const LONGEST_PAUSE_SECONDS = 30;
/** Looking takes at most this part of the time. */
const RATIO = 4;

/** What a single request stands on. */
export interface ISingleWorld {
  server: PageServer;
  mayAct: boolean;
  trans: TranslationBundle;
  /** Something was done: the list is not the same any more. */
  acted(): void;
  back(): void;
}

export class SingleView {
  constructor(one: Pick<IListed, 'id'>, world: ISingleWorld) {
    const { trans, server, mayAct } = world;
    this._world = world;
    const begun = { ...readOne({ id: one.id }), deployed: false };
    this._controls = new PageControls(begun, server, mayAct, trans);
    this._controls.acted = () => {
      world.acted();
      void this._look();
    };
    this._view = new RequestView(this._controls, trans);
    this._view.prefer({ opens: 'tree', timeline: false });
    const back = button(trans.__('← All requests'), 'site-back', world.back);
    this._result = button(trans.__('Download result'), 'entries-button', () =>
      this._download()
    );
    this._message.setAttribute('role', 'status');
    this.node = element('div', 'single', [
      element('div', 'single-bar', [back, this._where, this._result]),
      this._message,
      element('div', 'output', [this._view.node])
    ]);
    show(this._view.node, false);
    show(this._result, false);
    this._say(trans.__('Looking…'));
    void this._follow();
  }

  readonly node: HTMLElement;

  get id(): string {
    return this._controls.one.id;
  }

  /** Look now: the server is back. */
  nudge(): void {
    this._wake();
  }

  dispose(): void {
    this._disposed = true;
    this._wake();
    this._view.dispose();
  }

  /** Look whenever something is said to have changed. */
  private async _follow(): Promise<void> {
    let failures = 0;
    while (!this._disposed) {
      try {
        await this._news();
        failures = 0;
      } catch {
        await this._look(); // says what is wrong, where it can be said
        failures += 1;
        await this._pause(Math.min(2 ** failures, LONGEST_PAUSE_SECONDS));
      }
    }
  }

  private async _news(): Promise<void> {
    const { server } = this._world;
    const running = underway(this._controls.one.status);
    const wait =
      this._seen === '' ? 0 : running ? RUNNING_SECONDS : QUIET_SECONDS;
    const path = `requests/${this.id}/changes`;
    const said = await server.get(path, { seen: this._seen, wait });
    const stamp = String((said as { stamp?: unknown } | null)?.stamp ?? '');
    if (stamp !== this._seen || running) {
      this._seen = stamp;
      const began = Date.now();
      await this._look();
      const took = (Date.now() - began) / 1000;
      await this._pause(Math.min(RATIO * took, LONGEST_PAUSE_SECONDS));
    }
  }

  private async _look(): Promise<void> {
    const { server, trans } = this._world;
    const route = `requests/${this.id}`;
    try {
      const [info, snapshot] = await Promise.all([
        server.get(`${route}/info`),
        server.get(`${route}/snapshot`)
      ]);
      if (this._disposed) {
        return;
      }
      const given = (info ?? {}) as Record<string, unknown>;
      const deployed = given.deployed === true;
      this._controls.one = { ...readOne(given), id: this.id, deployed };
      const queued = snapshot === null && given.status === 'queued';
      const shown = queued || this._view.show(snapshot);
      show(this._view.node, shown && !queued);
      this._say(
        queued
          ? trans.__('It is queued: its calls show here when a worker begins.')
          : shown
            ? ''
            : trans.__(
                'The server answers in a way that this page does not know: load it anew.'
              )
      );
      this._label();
      this._controls.changed();
    } catch (error) {
      this._say((error as Error).message);
    }
  }

  private _label(): void {
    const { trans } = this._world;
    const { application, notebook, status, deployed } = this._controls.one;
    const origin = deployed
      ? trans.__('deployed application')
      : (notebook ?? trans.__('no notebook'));
    setText(this._where, visible(origin));
    document.title = `${visible(application)} · ${status}`;
    show(this._result, status === 'succeeded');
  }

  /** Through the page: a link would keep what the server has to say as if it were the result. */
  private _download(): void {
    const { server, trans } = this._world;
    allow(this._result, trans.__('It is being loaded.'), '');
    server
      .ask(`requests/${this.id}/output`, {})
      .then(async answer => {
        const link = document.createElement('a');
        link.href = URL.createObjectURL(await answer.blob());
        link.download = fileName(answer) || `${this.id}.bin`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60000);
        this._say('');
      })
      .catch((error: Error) => this._say(error.message))
      .finally(() => allow(this._result, null, ''));
  }

  private _say(text: string): void {
    setText(this._message, visible(text));
    show(this._message, text !== '');
    setAttribute(this._message, 'data-failed', text ? 'true' : null);
  }

  private _pause(seconds: number): Promise<void> {
    return new Promise(resolve => {
      const timer = window.setTimeout(resolve, seconds * 1000);
      this._wake = () => {
        window.clearTimeout(timer);
        resolve();
      };
    });
  }

  private _world: ISingleWorld;
  private _controls: PageControls;
  private _view: RequestView;
  private _result: HTMLButtonElement;
  private _where = element('span', 'single-where');
  private _message = element('div', 'entries-message');
  private _seen = '';
  private _disposed = false;
  private _wake: () => void = () => undefined;
}

function fileName(answer: Response): string {
  const said = answer.headers.get('Content-Disposition') ?? '';
  return /filename="([\w.-]+)"/.exec(said)?.[1] ?? '';
}
