/**
 * What a view asks by itself: the state of now, whether the request is known, and whether its code is still the same.
 *
 * Rules of this file
 * - The state is that of all that show the request (`Live`). Nothing is executed.
 * - What is not known cannot be acted on: the gate says so before anything is pressed.
 */

import { readChanges } from '../protocol/answers';
import { ISnapshot } from '../protocol/protocol';
import { Live } from '../requests/live';
import { visible } from './dom';
import { Gate } from './gate';

/** Whom it is for. */
export interface IAsker {
  content(): Record<string, unknown>;
  /** What is known of the request is another thing now. */
  take(live: Live): void;
  /** Functions whose code is another one now. */
  differs(names: string[]): void;
  /** Something may have to be drawn. */
  changed(): void;
  inSight(): boolean;
}

export class Inquiry {
  constructor(gate: Gate, asker: IAsker) {
    this._gate = gate;
    this._asker = asker;
    gate.ran = another => this._lookAgain(another);
  }

  /** The request, as all that show it know it; null before there is one. */
  get live(): Live | null {
    return this._live;
  }

  /** An output shows a state. */
  show(snapshot: ISnapshot): void {
    const { id } = snapshot.request;
    if (this._live?.id !== id) {
      this._unfollow();
      this._live = this._gate.lives.of(id);
      this._unfollow = this._live.follow({
        changed: () => this._news(),
        inSight: () => this._asker.inSight(),
        whole: true
      });
    }
    if (this._live !== null && !this._live.take(snapshot)) {
      this._news(); // it is not the newest; this view may not have shown that one yet
    }
  }

  dispose(): void {
    this._unfollow();
  }

  /** Called whenever the view is drawn. */
  look(comparing: boolean): void {
    this._live?.look();
    if (
      comparing &&
      !this._compared &&
      this._gate.refusal('changes') === null
    ) {
      this._compare();
    }
  }

  private _news(): void {
    const live = this._live;
    if (live !== null) {
      const status = live.snapshot?.request.status ?? '';
      this._compared = this._compared && status === this._status;
      this._status = status;
      this._gate.unknown = live.unknown === null ? null : visible(live.unknown);
      this._asker.take(live);
    }
  }

  private _compare(): void {
    this._compared = true;
    this._gate
      .ask('changes', this._asker.content())
      .then(reply => this._asker.differs(readChanges(reply).changed))
      .catch(() => this._asker.differs([]));
  }

  private _lookAgain(another: boolean): void {
    this._live?.lookAgain(another);
    this._compared = false;
    this._asker.changed();
  }

  private _gate: Gate;
  private _asker: IAsker;
  private _live: Live | null = null;
  private _unfollow: () => void = () => undefined;
  private _status = '';
  private _compared = false;
}
