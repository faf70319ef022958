/**
 * How far the calls of a request are, and how fast they get on.
 *
 * Rules of this file
 * - No DOM. Measured from snapshots alone; what no longer runs is forgotten.
 */

import { IGroup, IShownCall, ISnapshot } from './protocol';
import { IPace, Rate } from './rate';
import { groupKey } from './rows';

export class Paces {
  /** A newer state has come. */
  measure(snapshot: ISnapshot): void {
    const known = this._rates;
    this._rates = new Map();
    const add = (key: string, done: number) => {
      const rate = known.get(key) ?? new Rate();
      rate.add(snapshot.at, done);
      this._rates.set(key, rate);
    };
    for (const call of snapshot.calls) {
      if (call.status === 'running' && call.progress !== null) {
        add(callKey(call), call.progress.current);
      }
    }
    for (const group of snapshot.groups) {
      if (group.running > 0) {
        add(groupKey(group), ended(group));
      }
    }
  }

  /** A new run begins. */
  clear(): void {
    this._rates.clear();
  }

  ofCall(call: IShownCall): IPace | null {
    const progress = call.progress;
    return progress !== null && progress.total > 0
      ? this._pace(callKey(call), progress.current, progress.total)
      : null;
  }

  ofGroup(group: IGroup): IPace {
    return this._pace(groupKey(group), ended(group), group.total);
  }

  /** How far the request is: as its root says, else as its only group of running items is. */
  overall(snapshot: ISnapshot): IPace | null {
    const root = snapshot.calls.find(call => call.depth === 0);
    const said = root === undefined ? null : this.ofCall(root);
    const running = snapshot.groups.filter(group => group.running > 0);
    return said === null && running.length === 1
      ? this.ofGroup(running[0])
      : said;
  }

  private _pace(key: string, current: number, total: number): IPace {
    const perSecond = this._rates.get(key)?.perSecond ?? null;
    return { current, total, perSecond };
  }

  private _rates = new Map<string, Rate>();
}

function callKey(call: IShownCall): string {
  return `c${call.id}`;
}

function ended(group: IGroup): number {
  return group.succeeded + group.failed;
}
