/**
 * What a view shows: the newest snapshot, what the user opened, and the rows that follow from both.
 *
 * Rules of this file
 * - No DOM and no kernel. Rows are plain data with a key each; who draws them patches by key.
 * - However many calls a request makes, rows are few: siblings are pages, and `MOST_ROWS` is a limit for all.
 */

import { IPage } from '../protocol/answers';
import { Axis, ISpan } from './axis';
import { Paces } from './pace';
import { completed, IGroup, IShownCall, ISnapshot } from '../protocol/protocol';
import {
  blank,
  byParent,
  failuresFirst,
  grouped,
  groupKey,
  groupsOf,
  IPageOf,
  IRow,
  ISiblings,
  HOLDS_ITEMS,
  inOrder,
  kept as keptCalls,
  keysAbove,
  opensByItself
} from './rows';

export const PAGE = 50;
export const MOST_ROWS = 400;
const OPEN_AT_ONCE = 40;
const FRESH_SECONDS = 5;

export class Model {
  constructor(now: () => number) {
    this._now = now;
  }

  /** The newest state; null before there is one. */
  get snapshot(): ISnapshot | null {
    return this._snapshot;
  }

  /** Called after every change. */
  changed: () => void = () => undefined;

  /** Called when rows are wanted that are not here. */
  wanted: (page: IPageOf) => void = () => undefined;

  /** How far what runs is, and how fast it gets on. */
  readonly paces = new Paces();

  /** Why no page of calls can be asked for; null when it can. */
  noPages: string | null = null;

  failedOnly = false;
  timeline = false;
  opens: 'line' | 'trouble' | 'tree' = 'trouble';
  search = '';
  selected: string | null = null;

  /** Take a newer state; an older one is left alone. */
  take(snapshot: ISnapshot): boolean {
    const known = this._snapshot;
    if (known !== null && known.request.id === snapshot.request.id) {
      if (snapshot.sequence < known.sequence) {
        return false;
      }
      if (known.request.run !== snapshot.request.run) {
        this._pages.clear();
        this.paces.clear();
      }
      snapshot = completed(snapshot, known);
    }
    this._snapshot = snapshot;
    this._below = byParent(snapshot.calls);
    this._groups = byParent(snapshot.groups);
    this._takenAt = this._now();
    this._seen = Math.abs(this._now() - snapshot.at) < FRESH_SECONDS;
    this.paces.measure(snapshot);
    this.changed();
    return true;
  }

  /** Whether the state comes from somebody who knows, and not from a saved notebook. */
  get fresh(): boolean {
    return this._seen;
  }

  /** Somebody who knows has said that this state holds. */
  confirm(): void {
    this._seen = true;
    this.changed();
  }

  /** Nobody is there who could say whether this state still holds. */
  doubt(): void {
    this._seen = false;
    this.changed();
  }

  /** The status in words: what a saved notebook says of a running request may have changed since. */
  get status(): string {
    const status = this._snapshot?.request.status ?? '';
    return status === 'running' && !this._seen ? 'last seen running' : status;
  }

  get running(): boolean {
    return this.status === 'running';
  }

  /** The time of whoever made the snapshot. */
  now(): number {
    const at = this._snapshot?.at ?? 0;
    return this.running ? at + this._now() - this._takenAt : at;
  }

  /** Whether the tree stands open: what went well is one line until it is opened. */
  get expanded(): boolean {
    if (this._expanded !== null || this.opens !== 'trouble') {
      return this._expanded ?? this.opens === 'tree';
    }
    const counts = this._snapshot?.counts;
    const trouble =
      counts && counts.failed + counts.code_changed + counts.file_changed;
    return this.status !== 'succeeded' || Boolean(trouble);
  }

  expand(open: boolean): void {
    this._expanded = open;
    this.changed();
  }

  /** Open or close a row. */
  toggle(row: IRow, open = !row.open): void {
    if (!row.expandable || row.open === open) {
      return;
    }
    this._opened.set(row.key, open);
    const identity = row.call?.id ?? 0;
    const nothing = row.call !== null && !this._below.has(identity);
    if (open && row.group !== null) {
      this._want({ ...row.group, offset: 0 });
    } else if (open && nothing) {
      this._want({ parent: identity, name: '', kind: '', offset: 0 });
    }
    this.changed();
  }

  select(key: string | null): void {
    this.selected = key;
    this.changed();
  }

  /** Select a call, and open all that it is in. */
  reveal(call: IShownCall): void {
    for (const key of keysAbove(this._snapshot?.calls ?? [], call.id)) {
      this._opened.set(key, true);
      this._pages.delete(key);
    }
    this._expanded = true;
    this.select(`c${call.id}`);
  }

  filter(failedOnly: boolean, search: string): void {
    this.failedOnly = failedOnly;
    this.search = search;
    this.changed();
  }

  /** A page has come. */
  takePage(of: IPageOf, page: IPage): void {
    const known = new Set<number>();
    const calls = page.calls.filter(
      call => !known.has(call.id) && known.add(call.id)
    );
    this._pages.set(groupKey(of), { ...page, calls, offset: of.offset });
    this.changed();
  }

  /** Ask for another page of the calls a pager stands for. */
  turn(row: IRow, offset: number): void {
    const of = this._pagers.get(row.key);
    if (of !== undefined) {
      this._want({ ...of, offset });
    }
  }

  call(key: string | null): IShownCall | null {
    return this.rows().find(row => row.key === key)?.call ?? null;
  }

  /** The lines of the tree, in order. */
  rows(): IRow[] {
    const rows: IRow[] = [];
    this._pagers.clear();
    const roots = this._below.get(0) ?? [];
    const kept = keptCalls(
      this._snapshot?.calls ?? [],
      this.failedOnly,
      this.search
    );
    for (const root of roots) {
      this._push(rows, root, 0, kept);
    }
    if (rows.length > MOST_ROWS) {
      rows.length = MOST_ROWS;
      rows.push({ ...blank('more:limit', 0), total: -1 });
    }
    return rows;
  }

  /** The time axis of everything that is shown. */
  axis(): Axis {
    const spans: ISpan[] = [];
    for (const call of this._snapshot?.calls ?? []) {
      if (call.depth > 0 || call.children === 0) {
        spans.push(this.span(call));
      }
    }
    return new Axis(spans);
  }

  /** From when to when a call ran. */
  span(call: IShownCall): ISpan {
    const running = call.status === 'running' && call.duration === null;
    const end = running ? this.now() : call.started_at + (call.duration ?? 0);
    return { start: call.started_at, end: Math.max(end, call.started_at) };
  }

  private _want(of: IPageOf): void {
    const { parent, name, kind, offset } = of;
    this.wanted({ parent, name, kind, offset });
  }

  private _push(
    rows: IRow[],
    call: IShownCall,
    depth: number,
    kept: Set<number> | null
  ): void {
    if (rows.length > MOST_ROWS || (kept !== null && !kept.has(call.id))) {
      return;
    }
    const key = `c${call.id}`;
    const own = this._groupsOf(call.id);
    const group =
      HOLDS_ITEMS.includes(call.kind) && own.length === 1 ? own[0] : null;
    const expandable = call.children > 0 || this._below.has(call.id);
    const open =
      expandable && (kept !== null || this._isOpen(key, call, own.length > 0));
    rows.push({
      ...blank(key, depth),
      type: 'call',
      call,
      group,
      items: group ?? this._items(call),
      expandable: expandable || group !== null,
      open
    });
    if (!open) {
      return;
    }
    if (group !== null) {
      this._pushPage(rows, group, depth + 1, kept);
    } else {
      this._pushChildren(rows, call, depth + 1, kept);
    }
  }

  private _items(call: IShownCall): IGroup | null {
    const items = this._below.get(call.id);
    const all = items !== undefined && items.length === call.children;
    return all && HOLDS_ITEMS.includes(call.kind) ? grouped(items) : null;
  }

  private _pushChildren(
    rows: IRow[],
    call: IShownCall,
    depth: number,
    kept: Set<number> | null
  ): void {
    const known = this._below.get(call.id);
    const of = { parent: call.id, name: '', kind: '', total: call.children };
    const asked = kept === null && this._pages.has(groupKey(of));
    if (known === undefined || asked) {
      this._pushPage(rows, of, depth, kept);
      return;
    }
    const groups = new Map(
      this._groupsOf(call.id).map(one => [groupKey(one), one])
    );
    const done = new Set<string>();
    for (const child of inOrder(known, call.depth, this._below)) {
      const key = groupKey(child);
      const group = groups.get(key);
      if (group === undefined) {
        this._push(rows, child, depth, kept);
      } else if (!done.has(key)) {
        done.add(key);
        this._pushGroup(rows, group, depth, kept);
      }
    }
    if (kept === null) {
      this._pushRest(rows, of, depth, [...groups.values()]);
    }
  }

  /** Children that are neither here nor in a group: they can be asked for. */
  private _pushRest(
    rows: IRow[],
    of: ISiblings & { total: number },
    depth: number,
    groups: IGroup[]
  ): void {
    const keys = new Set(groups.map(groupKey));
    const here = this._below.get(of.parent) ?? [];
    const single = here.filter(call => !keys.has(groupKey(call))).length;
    const inGroups = groups.reduce((sum, group) => sum + group.total, 0);
    const missing = of.total - single - inGroups;
    if (missing > 0) {
      const more = `rest:${groupKey(of)}`;
      this._pagers.set(more, { ...of, offset: 0 });
      const row = { ...blank(more, depth), offset: missing, total: of.total };
      rows.push({ ...row, type: 'rest' });
    }
  }

  private _pushGroup(
    rows: IRow[],
    group: IGroup,
    depth: number,
    kept: Set<number> | null
  ): void {
    const key = groupKey(group);
    const open = kept !== null || (this._opened.get(key) ?? false);
    const type = 'group';
    rows.push({ ...blank(key, depth), type, group, expandable: true, open });
    if (open) {
      this._pushPage(rows, group, depth + 1, kept);
    }
  }

  /** A page of siblings: that which was asked for, else those that are here. */
  private _pushPage(
    rows: IRow[],
    of: ISiblings & { total: number },
    depth: number,
    kept: Set<number> | null
  ): void {
    const key = groupKey(of);
    const here = (this._below.get(of.parent) ?? []).filter(
      call =>
        (of.name === '' || groupKey(call) === key) &&
        (kept === null || kept.has(call.id))
    );
    const page = kept === null ? this._pages.get(key) : undefined;
    const shown = page?.calls ?? failuresFirst(here).slice(0, PAGE);
    const total = page?.total ?? Math.max(of.total, here.length);
    for (const call of shown) {
      this._push(rows, call, depth, kept);
    }
    if (kept === null && total > shown.length) {
      const more = `more:${key}`;
      const offset = page?.offset ?? 0;
      this._pagers.set(more, { ...of, offset });
      rows.push({ ...blank(more, depth), type: 'more', offset, total });
    } else if (shown.length === 0 && kept === null) {
      rows.push({ ...blank(`none:${key}`, depth), type: 'none' });
    }
  }

  private _groupsOf(parent: number): IGroup[] {
    return groupsOf(
      this._groups.get(parent) ?? [],
      this._below.get(parent) ?? []
    );
  }

  private _isOpen(key: string, call: IShownCall, many: boolean): boolean {
    const said = this._opened.get(key);
    if (said !== undefined || call.depth === 0) {
      return said ?? true;
    }
    const few = (this._snapshot?.calls.length ?? 0) <= OPEN_AT_ONCE;
    return !many && opensByItself(call, this._below, few);
  }

  private _snapshot: ISnapshot | null = null;
  private _below = new Map<number, IShownCall[]>();
  private _groups = new Map<number, IGroup[]>();
  private _pages = new Map<string, IPage & { offset: number }>();
  private _pagers = new Map<string, IPageOf>();
  private _opened = new Map<string, boolean>();
  private _expanded: boolean | null = null;
  private _seen = false;
  private _takenAt = 0;
  private _now: () => number;
}
