/**
 * The way to the store: the server extension's routes.
 *
 * Rules of this file
 * - No DOM. What comes back is foreign; whoever asks reads it.
 * - A failure is an `Error` that says what to do next.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

export type Query = Record<string, string | number | boolean | null>;

/** Something that answers for the stores. */
export interface IServer {
  /** Rejects with an `Error` whose message can be shown. */
  get(path: string, query?: Query): Promise<unknown>;
  /** Change something. Rejects as `get` does. */
  post(path: string, body?: Query): Promise<unknown>;
}

/** What is asked about a request, without what its route says already. */
export function queryOf(content: Readonly<Record<string, unknown>>): Query {
  const asked = { ...content } as Query;
  delete asked.request;
  delete asked.display;
  return asked;
}

const ROOT = 'jupyter-durable';

export class Server implements IServer {
  constructor(settings: ServerConnection.ISettings, trans: TranslationBundle) {
    this._settings = settings;
    this._trans = trans;
  }

  get(path: string, query: Query = {}): Promise<unknown> {
    const given: Record<string, string> = {};
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== '' && value !== false) {
        given[name] = String(value);
      }
    }
    return this._ask(path + URLExt.objectToQueryString(given), {});
  }

  post(path: string, body: Query = {}): Promise<unknown> {
    return this._ask(path, { method: 'POST', body: JSON.stringify(body) });
  }

  private async _ask(path: string, init: RequestInit): Promise<unknown> {
    const url = URLExt.join(this._settings.baseUrl, ROOT, path);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this._settings);
    } catch {
      throw new Error(
        this._trans.__('The Jupyter server does not answer. Is it running?')
      );
    }
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      throw new Error(this._said(response.status, answer));
    }
    return answer;
  }

  private _said(status: number, answer: unknown): string {
    const { message, ours } = (answer ?? {}) as Record<string, unknown>;
    if (ours === true && typeof message === 'string') {
      return message;
    }
    if (status === 404) {
      return this._trans.__(
        'This Jupyter server has no part of jupyter-durable: install jupyter-durable[notebook] where the server runs, and start it again.'
      );
    }
    if (status === 401 || status === 403) {
      return this._trans.__(
        'The Jupyter server refuses this page: log in again, and load the page anew.'
      );
    }
    return this._trans.__(
      'The Jupyter server failed (%1); its log says why.',
      String(status)
    );
  }

  private _settings: ServerConnection.ISettings;
  private _trans: TranslationBundle;
}
