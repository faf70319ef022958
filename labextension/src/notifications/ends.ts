/**
 * Which ends of runs are news.
 *
 * Rules of this file
 * - No DOM and no clock. Sightings come from several places, late and more than once; each end is told once.
 * - Only what was seen to run can end: what had ended before the page looked is no news.
 */

/** A run as somebody saw it. Times are Unix seconds. */
export interface ISighting {
  id: string;
  run: number;
  application: string;
  status: string;
  error: string;
  /** When this run began; null where that is not known. */
  started: number | null;
  finished: number | null;
}

export interface IEnd extends ISighting {
  /** Seconds the run lasted, as far as it was seen. */
  lasted: number;
}

const ENDED = ['succeeded', 'failed', 'interrupted', 'cancelled'];

export class Ends {
  /** Take in a sighting; the end of a run when this is the first to tell it. */
  see(seen: ISighting, now: number): IEnd | null {
    const key = `${seen.id} ${seen.run}`;
    if (this._over.has(key)) {
      return null;
    }
    const since = this._running.get(key);
    if (!ENDED.includes(seen.status)) {
      if (since === undefined && seen.status === 'running') {
        this._running.set(key, seen.started ?? now);
      }
      return null;
    }
    this._over.add(key);
    this._running.delete(key);
    if (since === undefined) {
      return null;
    }
    const began = seen.started ?? since;
    return { ...seen, lasted: Math.max(0, (seen.finished ?? now) - began) };
  }

  private _running = new Map<string, number>();
  private _over = new Set<string>();
}
