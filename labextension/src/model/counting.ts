/**
 * What is counted over the calls of a tree, and how it is said: the twin of jupyter_durable/core/counting.py.
 *
 * Rules of this file
 * - No DOM. `tests/golden/calltree.json` keeps the two equal.
 * - A failure counts where it began: not for the callers it passed on its way up.
 */

import { ICall, ICounts } from '../protocol/protocol';
import { recorded, saved as savedMetrics, told, without } from './metrics';
import { spoken } from './spoken';

export { spoken } from './spoken';

export const GROUPS = ['map', 'reduce'];
const NOT_COUNTED = ['map', 'reduce', 'cell', 'script', 'value'];

/** What the summary line says; `calls` in program order, the root first. */
export function count(calls: ICall[]): ICounts {
  const counted = calls.filter(
    call => call.depth > 0 && !NOT_COUNTED.includes(call.kind)
  );
  const passedOn = callersOfFailures(calls);
  const many = (holds: (call: ICall) => boolean) =>
    counted.filter(holds).length;
  return {
    reused: many(
      call => call.source === 'checkpoint' && call.status === 'succeeded'
    ),
    executed: many(call => call.source === 'ran' && call.status !== 'running'),
    failed: many(call => call.status === 'failed' && !passedOn.has(call.id)),
    running: many(call => call.status === 'running'),
    args_changed: many(call => call.args_changed),
    code_changed: many(call => call.code_changed),
    saved: saved(calls),
    not_comparable: many(call => call.not_comparable),
    file_changed:
      Number(calls[0]?.file_changed === true) + many(call => call.file_changed),
    metrics: without(recorded(calls), savedMetrics(calls)),
    saved_metrics: savedMetrics(calls)
  };
}

/** Calls below which another one failed, also through a map or reduce that failed: their failures began there. */
function callersOfFailures(calls: ICall[]): Set<number> {
  const known = new Map(calls.map(call => [call.id, call]));
  const found = new Set<number>();
  for (const call of calls) {
    if (call.status === 'failed' && !GROUPS.includes(call.kind)) {
      let above = known.get(call.parent);
      while (above?.status === 'failed' && GROUPS.includes(above.kind)) {
        above = known.get(above.parent);
      }
      found.add(above?.id ?? 0);
    }
  }
  return found;
}

/** Seconds of the reused calls; what a reused call covers is part of it. */
function saved(calls: ICall[]): number {
  let total = 0;
  let covered = Infinity;
  for (const call of calls.slice(1)) {
    if (call.depth > covered) {
      continue;
    }
    covered = Infinity;
    if (call.source !== 'ran' && !GROUPS.includes(call.kind)) {
      covered = call.depth;
      total += call.status === 'succeeded' ? (call.duration ?? 0) : 0;
    }
  }
  return total;
}

/** What the reused calls took and measured when they ran; empty when that is nothing. */
export function savedText(
  counts: Pick<ICounts, 'saved' | 'saved_metrics'>
): string {
  const time = counts.saved >= 0.05 ? spoken(counts.saved) : '';
  return [time, told(counts.saved_metrics)].filter(part => part).join(' · ');
}
