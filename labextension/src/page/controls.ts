/**
 * Controls of a view on the server's own page: the server answers, and there is no kernel.
 *
 * Rules of this file
 * - What a token may not do, and what only a notebook can, is not offered; a replay that another place can do says so.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { Lives } from '../requests/live';
import { IListed } from '../requests/requests';
import { IServer, Query } from '../requests/server';
import { Turn } from '../requests/turn';
import { IControls, Verb } from '../view/controls';

const LOOKS: readonly Verb[] = ['snapshot', 'page', 'detail', 'preview'];

/** A request as the server's page knows it. */
export type OnServer = IListed & {
  /** Whether it is one of an application that was deployed there: then the server can run it. */
  deployed: boolean;
};

export class PageControls implements IControls {
  constructor(
    one: OnServer,
    server: IServer,
    mayAct: boolean,
    trans: TranslationBundle
  ) {
    this.one = one;
    this._server = server;
    this._mayAct = mayAct;
    this._trans = trans;
  }

  /** The request, as it was told last. */
  one: OnServer;

  /** What was asked for was done: it is to be looked at. */
  acted: () => void = () => undefined;

  readonly turn = new Turn(() => false);

  readonly lives = new Lives({
    refusal: () => null,
    ask: () => this._server.get(this._route('snapshot'))
  });

  readonly hasCell = false;

  changed: () => void = () => undefined;

  offers(verb: Verb, some: boolean): boolean {
    if (verb === 'cancel' || verb === 'replay') {
      return this._mayAct && !some;
    }
    return LOOKS.includes(verb);
  }

  refusal(verb: Verb): string | null {
    const trans = this._trans;
    if (LOOKS.includes(verb)) {
      return null;
    }
    if (!this.offers(verb, false)) {
      return trans.__('Only in the notebook.');
    }
    return verb === 'replay' && !this.one.deployed
      ? trans.__(
          'It was made in a notebook, and its code runs there: press Replay in it, or run “jupyter durable replay %1”.',
          this.one.id
        )
      : null;
  }

  async ask(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    const refusal = this.refusal(verb);
    if (refusal !== null) {
      throw new Error(refusal);
    }
    if (LOOKS.includes(verb)) {
      return this._server.get(this._route(verb), asked(content));
    }
    const { strict = false, latest = false } = content;
    const how = verb === 'replay' ? { strict, latest } : {};
    const reply = await this._server.post(this._route(verb), how as Query);
    this.acted();
    return reply;
  }

  /** Never called: there is no cell that could run. */
  resume(): Promise<void> {
    return Promise.resolve();
  }

  runCell(): void {
    // There is none: `hasCell` says so.
  }

  runBelow(): void {
    // As above.
  }

  private _route(verb: string): string {
    return `requests/${this.one.id}/${verb}`;
  }

  private _server: IServer;
  private _mayAct: boolean;
  private _trans: TranslationBundle;
}

/** What is asked about a request, without what its route says already. */
function asked(content: Record<string, unknown>): Query {
  const { request, display, ...query } = content;
  void [request, display];
  return query as Query;
}
