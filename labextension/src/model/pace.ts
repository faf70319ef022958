/**
 * How far the calls of a request are, and how fast they get on.
 *
 * Rules of this file
 * - No DOM. Measured from snapshots alone; what no longer runs is forgotten.
 */

import { IGroup, IShownCall, ISnapshot } from '../protocol/protocol';
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
    this._items = snapshot.omitted === 0 ? endedItems(snapshot.calls) : null;
    for (const call of snapshot.calls) {
      const progress = this._progress(call);
      if (call.status === 'running' && progress !== null) {
        add(callKey(call), progress.current);
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
    const progress = this._progress(call);
    return progress !== null && progress.total > 0
      ? this._pace(callKey(call), progress.current, progress.total)
      : null;
  }

  /** Items of a map; how many calls of another kind there will be nobody knows. */
  ofGroup(group: IGroup): IPace | null {
    return group.kind === 'map_item' && group.total > 0
      ? this._pace(groupKey(group), ended(group), group.total)
      : null;
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

  /** What a call reports itself; of a map, how many of its items have ended, where all are here. */
  private _progress(
    call: IShownCall
  ): { current: number; total: number } | null {
    if (call.progress !== null || call.kind !== 'map' || this._items === null) {
      return call.progress;
    }
    return { current: this._items.get(call.id) ?? 0, total: call.children };
  }

  private _pace(key: string, current: number, total: number): IPace {
    const perSecond = this._rates.get(key)?.perSecond ?? null;
    return { current, total, perSecond };
  }

  private _items: Map<number, number> | null = null;
  private _rates = new Map<string, Rate>();
}

function callKey(call: IShownCall): string {
  return `c${call.id}`;
}

function ended(group: IGroup): number {
  return group.succeeded + group.failed + group.cut_off;
}

/** How many children of each call have ended. */
function endedItems(calls: IShownCall[]): Map<number, number> {
  const found = new Map<number, number>();
  for (const call of calls) {
    if (call.status !== 'running') {
      found.set(call.parent, (found.get(call.parent) ?? 0) + 1);
    }
  }
  return found;
}
