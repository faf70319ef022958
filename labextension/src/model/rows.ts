/**
 * Rows as plain data, and siblings as groups.
 *
 * Rules of this file
 * - No DOM, no state.
 */

import { IGroup, IShownCall } from '../protocol/protocol';

export const HOLDS_ITEMS = ['map', 'reduce'];
export const BAD = ['failed', 'cancelled', 'interrupted'];
const FOLDED = 50;

/** One line of the tree. */
export interface IRow {
  key: string;
  type: 'call' | 'group' | 'more' | 'rest' | 'none';
  depth: number;
  call: IShownCall | null;
  /** Siblings that open to pages. */
  group: IGroup | null;
  /** Of a map or reduce: what its items are together. */
  items: IGroup | null;
  expandable: boolean;
  open: boolean;
  /** Of a pager: the first call that is shown, counting from 0 (of a rest: how many are missing), and of how many. */
  offset: number;
  total: number;
}

/** Whose calls a page holds: all calls of a parent, or those of one name. */
export interface IPageOf {
  parent: number;
  name: string;
  kind: string;
  offset: number;
}

/** What siblings of one name have in common. */
export interface ISiblings {
  parent: number;
  name: string;
  kind: string;
}

export function groupKey(of: ISiblings): string {
  return `g${of.parent}/${of.kind}/${of.name}`;
}

export function blank(key: string, depth: number): IRow {
  return {
    key,
    type: 'more',
    depth,
    call: null,
    group: null,
    items: null,
    expandable: false,
    open: false,
    offset: 0,
    total: 0
  };
}

export function byParent<T extends { parent: number }>(
  items: T[]
): Map<number, T[]> {
  const below = new Map<number, T[]>();
  for (const item of items) {
    const known = below.get(item.parent);
    if (known === undefined) {
      below.set(item.parent, [item]);
    } else {
      known.push(item);
    }
  }
  return below;
}

export function grouped(calls: IShownCall[]): IGroup {
  const many = (status: string) =>
    calls.filter(call => call.status === status).length;
  const first = calls[0];
  return {
    parent: first.parent,
    name: first.name,
    kind: first.kind,
    total: calls.length,
    succeeded: many('succeeded'),
    failed: many('failed'),
    cut_off: many('cancelled') + many('interrupted'),
    running: many('running'),
    queued: 0,
    reused: calls.filter(call => call.source === 'checkpoint').length,
    started_at: Math.min(...calls.map(call => call.started_at)),
    seconds: secondsByRun(calls),
    added_up: calls.reduce((sum, call) => sum + (call.duration ?? 0), 0)
  };
}

/** From the first start to the last end of each run: the time between two runs is nobody's. */
function secondsByRun(calls: IShownCall[]): number {
  const spans = new Map<number, [number, number]>();
  for (const { run, started_at: start, duration } of calls) {
    const end = start + (duration ?? 0);
    const [first, last] = spans.get(run) ?? [start, end];
    spans.set(run, [Math.min(first, start), Math.max(last, end)]);
  }
  return [...spans.values()].reduce((sum, [from, to]) => sum + to - from, 0);
}

/** Siblings that are too many to be rows: those that were sent as such, and those that are here. */
export function groupsOf(sent: IGroup[], children: IShownCall[]): IGroup[] {
  const known = new Set(sent.map(groupKey));
  const counted = new Map<string, IShownCall[]>();
  for (const call of children) {
    const key = groupKey(call);
    const others = counted.get(key);
    if (others === undefined) {
      counted.set(key, [call]);
    } else {
      others.push(call);
    }
  }
  const found = [...sent];
  for (const [key, calls] of counted) {
    if (calls.length > FOLDED && !known.has(key)) {
      found.push(grouped(calls));
    }
  }
  return found;
}

/** Whether something below a call went wrong. */
export function troubled(
  call: IShownCall,
  below: Map<number, IShownCall[]>
): boolean {
  return (below.get(call.id) ?? []).some(
    child => BAD.includes(child.status) || troubled(child, below)
  );
}

/** Whether a call stands open before the user says so: in small trees, and where something went wrong. */
export function opensByItself(
  call: IShownCall,
  below: Map<number, IShownCall[]>,
  few: boolean
): boolean {
  const fits = few && !HOLDS_ITEMS.includes(call.kind);
  return below.has(call.id) && (fits || troubled(call, below));
}

/** Rows and groups that have to be open for a call to be seen: those of its callers, and of its siblings. */
export function keysAbove(calls: IShownCall[], id: number): string[] {
  const known = new Map(calls.map(call => [call.id, call]));
  const found: string[] = [];
  for (
    let call = known.get(id);
    call !== undefined && call.depth > 0;
    call = known.get(call.parent)
  ) {
    const { parent } = call;
    found.push(
      `c${parent}`,
      groupKey(call),
      groupKey({ parent, name: '', kind: '' })
    );
  }
  return found;
}

/** With a filter: the calls it lets through and their callers. Null without one. */
export function kept(
  calls: IShownCall[],
  failedOnly: boolean,
  search: string
): Set<number> | null {
  const text = search.trim().toLowerCase();
  if (!failedOnly && text === '') {
    return null;
  }
  const parents = new Map(calls.map(call => [call.id, call.parent]));
  const found = new Set<number>();
  for (const call of calls) {
    const said = `${call.label}\n${call.arguments}\n${call.output}\n${call.error}`;
    if (
      (failedOnly && !BAD.includes(call.status)) ||
      !said.toLowerCase().includes(text)
    ) {
      continue;
    }
    let id: number | undefined = call.id;
    while (id !== undefined && !found.has(id)) {
      found.add(id);
      id = parents.get(id);
    }
  }
  return found;
}

/** The calls of one caller: in program order, of the request itself those first in or below which something went wrong. */
export function inOrder(
  calls: IShownCall[],
  depth: number,
  below: Map<number, IShownCall[]>
): IShownCall[] {
  const bad = (call: IShownCall) =>
    BAD.includes(call.status) || troubled(call, below);
  return depth > 0
    ? calls
    : [...calls.filter(bad), ...calls.filter(call => !bad(call))];
}

/** Failures first, else in program order. */
export function failuresFirst(calls: IShownCall[]): IShownCall[] {
  const bad = calls.filter(call => BAD.includes(call.status));
  const others = calls.filter(call => !BAD.includes(call.status));
  return [...bad, ...others];
}
