/**
 * What is true of a request now, for all that show it: its view, its mark, and what is pressed.
 *
 * Rules of this file
 * - No DOM and no Jupyter. The newest state wins, whoever brought it: an output, a kernel, the store.
 * - Outputs may stop to come (the page was closed, the kernel died, somebody drops updates): whoever knows is asked by
 *   the request's id, calmly, only while it goes on and somebody looks.
 * - What nobody can say is doubted, never claimed.
 */

import { completed, ISnapshot, readSnapshot } from '../protocol/protocol';

export const TICK_MILLISECONDS = 1000;
/** A state of a request that runs is shown anew by its kernel at least this often. */
export const QUIET_SECONDS = 2.5;
const FRESH_SECONDS = 5;
/** Asking takes at most this part of the time. */
const RATIO = 5;
const LONGEST_PAUSE = 60;
const UNDERWAY: readonly string[] = ['running', 'queued', 'waiting'];

/** Whether a request of that status goes on. */
export function underway(status: string): boolean {
  return UNDERWAY.includes(status);
}

/** Who can be asked. */
export interface IWitness {
  /** Why nobody can be asked, in a sentence; null when somebody can. */
  refusal(): string | null;
  /** The state of now. Rejects with an `Error` whose message can be shown. */
  ask(id: string): Promise<unknown>;
}

/** Who looks. */
export interface IFollower {
  changed(): void;
  /** Whether it is on the screen: what nobody sees is not asked for. */
  inSight(): boolean;
  /** Whether it shows calls: they are asked for where an output leaves them out. */
  readonly whole: boolean;
}

/** One request. */
export class Live {
  constructor(
    readonly id: string,
    witness: IWitness,
    now: () => number = () => Date.now() / 1000
  ) {
    this._witness = witness;
    this._now = now;
  }

  /** The newest state; null before there is one. */
  get snapshot(): ISnapshot | null {
    return this._snapshot;
  }

  /** Whether it comes from somebody who knows, and not from a saved notebook. */
  get certain(): boolean {
    return this._certain;
  }

  /** Why nothing is known of the request, in a sentence; null while nothing speaks against it. */
  get unknown(): string | null {
    return this._unknown;
  }

  /** The status in words: what a saved notebook says of a running request may have changed since. */
  get status(): string {
    const status = this._snapshot?.request.status ?? '';
    return status === 'running' && !this._certain
      ? 'last seen running'
      : status;
  }

  /** An output shows a state; whether it is the newest. */
  take(snapshot: ISnapshot): boolean {
    const known = this._snapshot;
    if (known !== null && snapshot.sequence < known.sequence) {
      return false;
    }
    this._put(snapshot);
    if (Math.abs(this._now() - snapshot.at) < FRESH_SECONDS) {
      this._heard = this._now();
      this._know();
    } else if (known?.sequence !== snapshot.sequence) {
      this._certain = false;
    }
    this._tell();
    if (snapshot.partial && [...this._followers].some(each => each.whole)) {
      this.ask(true);
    }
    return true;
  }

  /** Tell a follower of each change, until the answer is called. */
  follow(follower: IFollower): () => void {
    this._followers.add(follower);
    this._keepLooking();
    return () => {
      this._followers.delete(follower);
      this._keepLooking();
      if (this._followers.size === 0) {
        this.left();
      }
    };
  }

  /** Called when nobody follows any more. */
  left: () => void = () => undefined;

  /** Code has run, or it is `another` kernel: what is known may be different. */
  lookAgain(another: boolean): void {
    this._known = this._known && !another;
    this._inquired = false;
  }

  /** Ask once for what is not known, as soon as somebody can be asked. */
  look(): void {
    const free = this._witness.refusal() === null;
    if (free && !this._inquired && !this._asking) {
      this._inquired = true;
      if (!this._known || this._unknown !== null) {
        this.ask();
      }
    }
  }

  /** Something was begun that may be over before it is shown: ask until it is seen. */
  expect(): void {
    const { run, status } = this._snapshot?.request ?? {};
    this._expected = `${run} ${status}`;
    this._keepLooking();
  }

  /** It did not begin. */
  expectNothing(): void {
    this._expected = '';
    this._keepLooking();
  }

  /** Ask now; once more, when a newer state is wanted than the one that was asked for. */
  ask(newer = false): void {
    this._behind = this._asking && (this._behind || newer);
    if (this._asking || this._witness.refusal() !== null) {
      return;
    }
    this._asking = true;
    const began = this._now();
    this._witness
      .ask(this.id)
      .then(reply => this._answered(reply), this._failed.bind(this))
      .finally(() => {
        this._asking = false;
        this._asked = this._now();
        this._pause =
          this._unknown === null
            ? RATIO * (this._asked - began)
            : Math.max(QUIET_SECONDS, 2 * this._pause);
        if (this._behind) {
          this.ask();
        }
      });
  }

  private _answered(reply: unknown): void {
    const snapshot = readSnapshot(reply);
    if (snapshot?.request.id === this.id) {
      if (snapshot.sequence >= (this._snapshot?.sequence ?? 0)) {
        this._put(snapshot);
      }
      this._know();
      this._tell();
    }
  }

  private _failed(error: Error): void {
    this._unknown = error.message;
    this._doubt();
  }

  private _put(snapshot: ISnapshot): void {
    const known = this._snapshot;
    this._snapshot = known === null ? snapshot : completed(snapshot, known);
    const { run, status } = snapshot.request;
    if (this._expected !== `${run} ${status}`) {
      this._expected = '';
    }
  }

  private _know(): void {
    this._certain = true;
    this._known = true;
    this._unknown = null;
  }

  private _doubt(): void {
    this._certain = false;
    this._tell();
  }

  private _tell(): void {
    this._followers.forEach(each => each.changed());
    this._keepLooking();
  }

  private get _goesOn(): boolean {
    const status = this._snapshot?.request.status ?? '';
    return underway(status) || this._expected !== '';
  }

  private _keepLooking(): void {
    const wanted = this._goesOn && this._followers.size > 0;
    if (wanted && this._timer === undefined) {
      this._timer = setInterval(() => this._tick(), TICK_MILLISECONDS);
    } else if (!wanted && this._timer !== undefined) {
      clearInterval(this._timer);
      this._timer = undefined;
    }
  }

  private _tick(): void {
    const now = this._now();
    const pause = Math.min(Math.max(this._pause, 0), LONGEST_PAUSE);
    const quiet = now - this._heard > QUIET_SECONDS;
    const seen = [...this._followers].some(each => each.inSight());
    if (!seen || !(quiet || this._expected) || now - this._asked < pause) {
      return;
    }
    if (this._witness.refusal() !== null) {
      this._doubt();
    } else {
      this.ask();
    }
  }

  private _witness: IWitness;
  private _now: () => number;
  private _snapshot: ISnapshot | null = null;
  private _certain = false;
  private _known = false;
  private _unknown: string | null = null;
  private _inquired = false;
  private _asking = false;
  private _behind = false;
  private _heard = 0;
  private _asked = 0;
  private _pause = 0;
  private _expected = '';
  private _timer: ReturnType<typeof setInterval> | undefined;
  private _followers = new Set<IFollower>();
}

/** The requests that somebody on the page looks at; one of each id. */
export class Lives {
  constructor(witness: IWitness) {
    this._witness = witness;
  }

  /** The request of that id, followed from now on by whoever asks. */
  of(id: string): Live {
    let live = this._lives.get(id);
    if (live === undefined) {
      const made = new Live(id, this._witness);
      made.left = () => this._lives.delete(id);
      this._lives.set(id, made);
      live = made;
    }
    return live;
  }

  private _witness: IWitness;
  private _lives = new Map<string, Live>();
}
