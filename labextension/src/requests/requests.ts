/**
 * The requests of all stores that the server knows, kept fresh.
 *
 * Rules of this file
 * - No DOM. One that asks (`IServer`), many that look (`changed`).
 * - What the server says is foreign: `readListed` believes nothing.
 * - Asked often while something runs, seldom otherwise, never while the page is hidden.
 * - When the server cannot be asked the list stays, and `refusal` says why it may be old.
 */

import { Token } from '@lumino/coreutils';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';
import { IMetric, readMetrics } from '../protocol/protocol';
import { IServer, Query } from './server';

/** A request as lists show it: `Info` of jupyter_durable/client/verbs.py. Times are Unix seconds. */
export interface IListed {
  /** Which store holds it; with `id` it names the request everywhere. */
  store: string;
  id: string;
  application: string;
  kind: string;
  status: string;
  accepted_at: number;
  started_at: number | null;
  finished_at: number | null;
  runs: number;
  /** When the last run began. */
  began_at: number | null;
  /** How long the last run took; null until it has ended. */
  seconds: number | null;
  /** Calls that executed in the last run. */
  executed: number;
  /** Calls that the last run served from checkpoints. */
  reused: number;
  /** Seconds that the last run saved. */
  saved: number;
  /** What the calls measured that it saved; of a request that has ended. */
  saved_metrics: IMetric[];
  notebook: string | null;
  /** Path that the contents of this server know the notebook by; null when it lies elsewhere. */
  path: string | null;
  cell: string | null;
  pinned: boolean;
  forked_from: string | null;
  error: string | null;
  /** Who runs it now, in words. */
  held_by: string | null;
}

/** Which requests to list. Empty: any. */
export interface IWanted {
  status: string;
  notebook: string;
  text: string;
  limit: number;
}

/** What is known of all requests. */
export interface IRequests {
  /** Running first, then newest first. */
  readonly list: readonly IListed[];
  /** How many run in all stores, whatever the list is filtered by. */
  readonly running: number;
  /** Whether there are more than the list holds. */
  readonly more: boolean;
  /** Notebooks that own requests, for a filter. */
  readonly notebooks: readonly string[];
  /** What is wrong with stores whose requests are missing. */
  readonly problems: readonly string[];
  /** Whether the server has answered once. */
  readonly known: boolean;
  /** Why the list may be old, with what to do; null when the server answers. */
  readonly refusal: string | null;
  readonly changed: ISignal<IRequests, void>;
  /** Ask now; resolves when the answer, or the refusal, is there. */
  refresh(): Promise<void>;
  /** Something has begun or ended: ask now, when anybody looks. */
  nudge(): void;
  /** Keep asking. Counted: it stops with the last `stop`. */
  start(): void;
  stop(): void;
}

export const IRequests = new Token<IRequests>(
  'jupyter-durable:IRequests',
  'The durable requests of all stores that the server knows.'
);

const RUNNING_MILLISECONDS = 2000;
const QUIET_MILLISECONDS = 10000;
const REFUSED_MILLISECONDS = 60000;
const MOST = 2000;

type Fields = Record<string, unknown>;

export class Requests implements IRequests {
  constructor(server: IServer, wanted: Partial<IWanted> = {}) {
    this._server = server;
    this._wanted = {
      status: '',
      notebook: '',
      text: '',
      limit: 100,
      ...wanted
    };
    this._poll = new Poll({
      auto: false,
      name: 'jupyter-durable:requests',
      factory: () => this._ask(),
      frequency: { interval: QUIET_MILLISECONDS, backoff: false },
      standby: 'when-hidden'
    });
  }

  get list(): readonly IListed[] {
    return this._list;
  }

  get running(): number {
    return this._running;
  }

  get more(): boolean {
    return this._more;
  }

  get notebooks(): readonly string[] {
    return this._notebooks;
  }

  get problems(): readonly string[] {
    return this._problems;
  }

  get known(): boolean {
    return this._known;
  }

  get refusal(): string | null {
    return this._refusal;
  }

  get changed(): ISignal<IRequests, void> {
    return this._changed;
  }

  get wanted(): Readonly<IWanted> {
    return this._wanted;
  }

  /** List others from now on. */
  want(wanted: Partial<IWanted>): Promise<void> {
    this._wanted = { ...this._wanted, ...wanted };
    return this.refresh();
  }

  refresh(): Promise<void> {
    return this._ask();
  }

  /** Something has begun or ended: ask now, when anybody looks. */
  nudge(): void {
    if (this._users > 0) {
      void this.refresh();
    }
  }

  start(): void {
    this._users += 1;
    if (this._users === 1) {
      void this._poll.start();
      void this._poll.refresh();
    }
  }

  stop(): void {
    this._users = Math.max(0, this._users - 1);
    if (this._users === 0) {
      void this._poll.stop();
    }
  }

  /** Seconds between two questions while nothing runs. */
  pace(seconds: number): void {
    this._quiet = seconds * 1000;
    this._pace();
  }

  dispose(): void {
    this._poll.dispose();
    Signal.clearData(this);
  }

  private async _ask(): Promise<void> {
    const number = (this._asked += 1);
    try {
      const answer = await this._server.get('requests', this._query());
      if (number > this._heard) {
        this._heard = number;
        this._take((answer ?? {}) as Fields);
        this._refusal = null;
      }
    } catch (error) {
      if (number > this._heard) {
        this._heard = number;
        this._refusal = (error as Error).message;
      }
    }
    this._pace();
    if (number === this._heard) {
      this._changed.emit();
    }
  }

  private _query(): Query {
    return { ...this._wanted };
  }

  private _take(answer: Fields): void {
    this._list = readListed(answer.requests);
    this._running = typeof answer.running === 'number' ? answer.running : 0;
    this._more = answer.more === true;
    this._notebooks = texts(answer.notebooks);
    this._problems = texts(answer.problems);
    this._known = true;
  }

  private _pace(): void {
    const interval =
      this._refusal !== null && !this._known
        ? REFUSED_MILLISECONDS
        : this._running > 0
          ? RUNNING_MILLISECONDS
          : this._quiet;
    if (!this._poll.isDisposed && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: false, max: interval };
      if (this._users > 0) {
        void this._poll.schedule({ interval, phase: 'standby' });
      }
    }
  }

  private _server: IServer;
  private _wanted: IWanted;
  private _poll: Poll;
  private _quiet = QUIET_MILLISECONDS;
  private _users = 0;
  private _asked = 0;
  private _heard = 0;
  private _list: IListed[] = [];
  private _running = 0;
  private _more = false;
  private _notebooks: string[] = [];
  private _problems: string[] = [];
  private _known = false;
  private _refusal: string | null = null;
  private _changed = new Signal<IRequests, void>(this);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: unknown): string[] {
  return (Array.isArray(value) ? value : []).filter(
    each => typeof each === 'string'
  );
}

function optional(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function time(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** A request; one without an id is none. */
export function readOne(given: Fields): IListed {
  return {
    store: text(given.store),
    id: text(given.id),
    application: text(given.application),
    kind: text(given.kind),
    status: text(given.status),
    accepted_at: number(given.accepted_at),
    started_at: time(given.started_at),
    finished_at: time(given.finished_at),
    runs: number(given.runs),
    began_at: time(given.began_at),
    seconds: time(given.seconds),
    executed: number(given.executed),
    reused: number(given.reused),
    saved: number(given.saved),
    saved_metrics: readMetrics(given.saved_metrics),
    notebook: optional(given.notebook),
    path: optional(given.path),
    cell: optional(given.cell),
    pinned: given.pinned === true,
    forked_from: optional(given.forked_from),
    error: optional(given.error),
    held_by: optional(given.held_by)
  };
}

/** The requests in `value`; what has no id is left out, and so is what is there already. */
export function readListed(value: unknown): IListed[] {
  const found = new Map<string, IListed>();
  for (const each of Array.isArray(value) ? value.slice(0, MOST) : []) {
    const one = readOne((each ?? {}) as Fields);
    if (one.id !== '') {
      found.set(`${one.store} ${one.id}`, one);
    }
  }
  return Array.from(found.values());
}
