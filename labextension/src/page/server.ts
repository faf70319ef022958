/**
 * The way to `jupyter durable serve`, for its own page.
 *
 * Rules of this file
 * - No DOM. What comes back is foreign; whoever asks reads it.
 * - The browser sends the session by itself; the header says that it was this page that asked.
 * - That the server is away, or back, and that the session is over, is told once for all that ask.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { IServer, Query } from '../requests/server';

const PATIENCE_MILLISECONDS = 150000;

/** Nobody is logged in, or no longer. */
export class LoggedOut extends Error {}

/** The server has not answered. */
export class Away extends Error {}

export class PageServer implements IServer {
  constructor(trans: TranslationBundle) {
    this._trans = trans;
  }

  /** Called when an answer says that nobody is logged in. */
  loggedOut: () => void = () => undefined;

  /** Called when the server answers no longer (true), and when it does again. */
  away: (away: boolean) => void = () => undefined;

  async get(path: string, query: Query = {}): Promise<unknown> {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== '' && value !== false) {
        given.set(name, String(value));
      }
    }
    const asked = given.toString();
    return this._json(await this.ask(asked ? `${path}?${asked}` : path, {}));
  }

  async post(path: string, body: Query = {}): Promise<unknown> {
    const headers = { 'Content-Type': 'application/json' };
    const init = { method: 'POST', body: JSON.stringify(body), headers };
    return this._json(await this.ask(path, init));
  }

  /** An answer that is well. Rejects with an `Error` whose message can be shown. */
  async ask(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, 'X-Jupyter-Durable-Page': '1' };
    let response: Response;
    try {
      response = await fetch(`page/${path}`, {
        ...init,
        headers,
        cache: 'no-store',
        redirect: 'error',
        signal: AbortSignal.timeout(PATIENCE_MILLISECONDS)
      });
    } catch {
      this._tell(true);
      throw new Away(this._trans.__('The server does not answer.'));
    }
    this._tell(false);
    if (response.ok) {
      return response;
    }
    const message = await this._said(response);
    if (response.status !== 401) {
      throw new Error(message);
    }
    if (init.method !== 'POST' || path !== 'session') {
      this.loggedOut();
    }
    throw new LoggedOut(message);
  }

  private async _json(response: Response): Promise<unknown> {
    return response.status === 204 ? null : response.json().catch(() => null);
  }

  private async _said(response: Response): Promise<string> {
    const answer: unknown = await response.json().catch(() => null);
    const { message } = (answer ?? {}) as Record<string, unknown>;
    return typeof message === 'string'
      ? message
      : this._trans.__(
          'The server failed (%1); its log says why.',
          String(response.status)
        );
  }

  private _tell(away: boolean): void {
    if (away !== this._isAway) {
      this._isAway = away;
      this.away(away);
    }
  }

  private _trans: TranslationBundle;
  private _isAway = false;
}
