/**
 * How fast something gets on, from the snapshots that told of it.
 *
 * Rules of this file
 * - No DOM, no clock: times are those of the snapshots, in Unix seconds.
 * - What counts is the last while: an estimate follows when the work becomes slower or faster, and items that were
 *   served from checkpoints in the first moment do not make the rest look quick.
 */

const WINDOW_SECONDS = 15;
const LEAST_SECONDS = 1;

interface ISample {
  at: number;
  done: number;
}

export class Rate {
  /** At a time so much was done. Going back (a new attempt) begins anew; times that are not newer are left alone. */
  add(at: number, done: number): void {
    const last = this._samples[this._samples.length - 1];
    if (last !== undefined && at <= last.at) {
      return;
    }
    if (last !== undefined && done < last.done) {
      this._samples = [];
    }
    this._samples.push({ at, done });
    while (this._samples[1]?.at <= at - WINDOW_SECONDS) {
      this._samples.shift();
    }
  }

  /** Done a second; null while that cannot be said. */
  get perSecond(): number | null {
    const first = this._samples[0];
    const last = this._samples[this._samples.length - 1];
    if (first === undefined || last.at - first.at < LEAST_SECONDS) {
      return null;
    }
    const found = (last.done - first.done) / (last.at - first.at);
    return found > 0 ? found : null;
  }

  private _samples: ISample[] = [];
}

/** How far something is. */
export interface IPace {
  current: number;
  total: number;
  perSecond: number | null;
}

/** Seconds until the end at this pace; null where that cannot be said. */
export function secondsLeft(pace: IPace): number | null {
  const { current, total, perSecond } = pace;
  return perSecond !== null && current < total
    ? (total - current) / perSecond
    : null;
}
