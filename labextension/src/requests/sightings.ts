/**
 * What cells show of requests, for whoever follows requests.
 *
 * Rules of this file
 * - No DOM. Only fresh news: what a saved notebook says is no sighting.
 */

import { Token } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';
import { ISnapshot } from '../protocol/protocol';

const FRESH_SECONDS = 5;

export class Sightings {
  get seen(): ISignal<this, ISnapshot> {
    return this._seen;
  }

  /** A cell shows a request, at `now` of Unix seconds. */
  tell(snapshot: ISnapshot, now: number): void {
    if (Math.abs(now - snapshot.at) < FRESH_SECONDS) {
      this._seen.emit(snapshot);
    }
  }

  private _seen = new Signal<this, ISnapshot>(this);
}

export const IDurableSightings = new Token<Sightings>(
  'jupyter-durable:IDurableSightings',
  'Requests as cells of open notebooks show them.'
);
