/**
 * What a view asks by itself: the state of now, whether the request is known, and whether its code is still the same.
 *
 * Rules of this file
 * - Each is asked once when it can be, and again when code has run or the kernel is another one. Nothing is executed.
 * - What is not known cannot be acted on: the gate says so before anything is pressed.
 */

import { readChanges } from '../protocol/answers';
import { visible } from './dom';
import { Gate } from './gate';

/** Whom it is for. */
export interface IAsker {
  content(): Record<string, unknown>;
  /** A state has come; whether it is one. */
  take(reply: unknown): boolean;
  /** Functions whose code is another one now. */
  differs(names: string[]): void;
  /** Something may have to be drawn. */
  changed(): void;
}

export class Inquiry {
  constructor(gate: Gate, asker: IAsker) {
    this._gate = gate;
    this._asker = asker;
    gate.ran = another => this._lookAgain(another);
  }

  /** Somebody who knows the request has shown it. */
  heard(): void {
    this._known = true;
    this._gate.unknown = null;
  }

  /** It runs anew, or no longer: its code may be another one. */
  moved(): void {
    this._compared = false;
  }

  /** Called whenever the view is drawn. */
  look(comparing: boolean): void {
    const free = this._gate.refusal('snapshot') === null;
    if (free && !this._inquired && !this._asking) {
      this._inquired = true;
      if (!this._known || this._gate.unknown !== null) {
        this.catchUp();
      }
    }
    if (
      comparing &&
      !this._compared &&
      this._gate.refusal('changes') === null
    ) {
      this._compare();
    }
  }

  /** Ask for the state of now; once more, when a newer one is wanted than the one that was asked for. */
  catchUp(newer = false): void {
    this._behind = this._asking && (this._behind || newer);
    if (this._asking || this._gate.refusal('snapshot') !== null) {
      return;
    }
    this._asking = true;
    this._gate
      .ask('snapshot', this._asker.content())
      .then(reply => {
        this._asking = false;
        if (this._asker.take(reply)) {
          this.heard();
        }
        if (this._behind) {
          this.catchUp();
        }
      })
      .catch((error: Error) => {
        this._asking = false;
        if (this._gate.refusal('snapshot') === null) {
          this._gate.unknown = visible(error.message);
          this._asker.changed();
        }
      });
  }

  private _compare(): void {
    this._compared = true;
    this._gate
      .ask('changes', this._asker.content())
      .then(reply => this._asker.differs(readChanges(reply).changed))
      .catch(() => this._asker.differs([]));
  }

  private _lookAgain(another: boolean): void {
    this._known = this._known && !another;
    this._inquired = false;
    this._compared = false;
    this._asker.changed();
  }

  private _gate: Gate;
  private _asker: IAsker;
  private _known = false;
  private _inquired = false;
  private _compared = false;
  private _asking = false;
  private _behind = false;
}
