/**
 * What calls measured, summed: the twin of jupyter_durable/core/metrics.py.
 *
 * Rules of this file
 * - No DOM. Names are the user's, and so are units: a counter is added up under its name, a timer is seconds.
 * - A call's sums hold those of the calls below it, once it has ended.
 */

import { ICall, IMetric } from '../protocol/protocol';
import { spoken } from './spoken';

const GROUPS = ['map', 'reduce'];
const TOLD = 4;
const LONGEST = 40;

/** The sums in the text of a row. */
export function unpacked(text: string | null): IMetric[] {
  return text ? (JSON.parse(text) as IMetric[]) : [];
}

/** What the calls of a tree measured, whichever run they executed in; `calls` in program order. */
export function recorded(calls: ICall[]): IMetric[] {
  return topmost(calls, call => call.duration !== null);
}

/** What the reused calls measured when they ran. */
export function saved(calls: ICall[]): IMetric[] {
  const reused = calls.slice(1).map(call => ({
    ...call,
    metrics: isReused(call) && call.status === 'succeeded' ? call.metrics : []
  }));
  return topmost(reused, isReused);
}

/** What is left of sums when others are taken away; rounding leaves nothing. */
export function without(sums: IMetric[], others: IMetric[]): IMetric[] {
  const found: IMetric[] = [];
  for (const [kind, name, value] of sums) {
    const other = others.find(each => each[0] === kind && each[1] === name);
    const left = value - (other?.[2] ?? 0);
    if (Math.abs(left) > 1e-9 * Math.abs(value)) {
      found.push([kind, name, left]);
    }
  }
  return found;
}

/** `41,200 tokens, model 3 min 12 s`; of many the first. */
export function told(sums: IMetric[]): string {
  const parts = sums.slice(0, TOLD).map(([kind, name, value]) => {
    const short =
      name.length <= LONGEST ? name : `${name.slice(0, LONGEST - 1)}…`;
    return kind === 'timer'
      ? `${short} ${spoken(value)}`
      : `${figure(value)} ${short}`;
  });
  const more = sums.length - TOLD;
  return (more > 0 ? [...parts, `${more} more`] : parts).join(', ');
}

function isReused(call: ICall): boolean {
  return call.source !== 'ran' && !GROUPS.includes(call.kind);
}

/** Sums over calls, those below a call that `covers` them left out. */
function topmost(calls: ICall[], covers: (call: ICall) => boolean): IMetric[] {
  const sums = new Map<string, IMetric>();
  let covered = Infinity;
  for (const call of calls) {
    if (call.depth > covered) {
      continue;
    }
    covered = covers(call) ? call.depth : Infinity;
    for (const [kind, name, value] of call.metrics) {
      const key = `${kind} ${name}`;
      sums.set(key, [kind, name, (sums.get(key)?.[2] ?? 0) + value]);
    }
  }
  return [...sums.keys()].sort().map(key => sums.get(key) as IMetric);
}

function figure(value: number): string {
  if (Number.isInteger(value)) {
    return value.toLocaleString('en');
  }
  return Math.abs(value) >= 1
    ? value.toLocaleString('en', {
        minimumFractionDigits: 2,
        maximumFractionDigits: 2
      })
    : String(Number(value.toPrecision(3)));
}
