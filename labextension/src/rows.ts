/**
 * Rows as plain data, and siblings as groups.
 *
 * Rules of this file
 * - No DOM, no state.
 */

import { IGroup, IShownCall } from './protocol';

/** One line of the tree. */
export interface IRow {
  key: string;
  type: 'call' | 'group' | 'more' | 'none';
  depth: number;
  call: IShownCall | null;
  /** Siblings that open to pages. */
  group: IGroup | null;
  /** Of a map or reduce: what its items are together. */
  items: IGroup | null;
  expandable: boolean;
  open: boolean;
  /** Of a pager: the first call that is shown, counting from 0, and how many there are. */
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

export function byParent(calls: IShownCall[]): Map<number, IShownCall[]> {
  const below = new Map<number, IShownCall[]>();
  for (const call of calls) {
    const known = below.get(call.parent);
    if (known === undefined) {
      below.set(call.parent, [call]);
    } else {
      known.push(call);
    }
  }
  return below;
}

export function grouped(calls: IShownCall[]): IGroup {
  const many = (status: string) =>
    calls.filter(call => call.status === status).length;
  const first = calls[0];
  const starts = calls.map(call => call.started_at);
  const ends = calls.map(call => call.started_at + (call.duration ?? 0));
  return {
    parent: first.parent,
    name: first.name,
    kind: first.kind,
    total: calls.length,
    succeeded: many('succeeded'),
    failed: many('failed'),
    running: many('running'),
    reused: calls.filter(call => call.source === 'checkpoint').length,
    started_at: Math.min(...starts),
    seconds: Math.max(...ends) - Math.min(...starts)
  };
}
