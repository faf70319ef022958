/**
 * The call tree as a fold over records: the twin of jupyter_durable/core/calltree.py.
 *
 * Rules of this file
 * - No DOM. `tests/golden/calltree.json` is folded here and there, and nothing may differ but fingerprints.
 * - Records come in any order and may be repeated; of two rows of a call the later pass, then attempt, then outcome wins.
 * - A parent shows the calls of its newest body only: rows of that pass, and what was reused in it.
 */

import { ICall, ICounts, IProgress } from '../protocol/protocol';
import { count, GROUPS, savedText } from './counting';
import { unpacked } from './metrics';

export { count, spoken } from './counting';

const ROOT = 1;
/** Kinds of which a request has one, so that it has no number. */
const BODIES = ['cell', 'script'];
const ARGS_CHANGED = 16;
const CODE_CHANGED = 32;
const NOT_COMPARABLE = 256;
const ARGUMENTS = ARGS_CHANGED | NOT_COMPARABLE;
const FILE_CHANGED = 512;
const NOT_STORED = 4;

export interface ICallRow {
  type: 'CallRow';
  parent: number;
  identity: number;
  pass_no: number;
  seq: number;
  kind: string;
  name: string;
  status: string;
  flags: number;
  attempts: number;
  started_at: number;
  duration: number | null;
  children: number | null;
  metrics: string | null;
}

export interface IReached {
  type: 'Reached';
  parent: number;
  pass_no: number;
  seq: number;
  identity: number;
  count: number;
  flags: number;
}

interface IAttempted {
  type: 'Attempted';
  identity: number;
  pass_no: number;
  attempt: number;
}

interface ILogged {
  type: 'Logged';
  identity: number;
  pass_no: number;
  at: number;
  stream: string;
  text: string;
}

interface IProgressed {
  type: 'Progressed';
  identity: number;
  current: number;
  total: number;
  message: string | null;
  attributes: string | null;
  at: number;
}

interface IArgumentsDecide {
  type: 'ArgumentsDecide';
  parent: number;
  pass_no: number;
}

interface IOther {
  type: 'Dropped' | 'Metric';
}

export type CallRecord =
  | ICallRow
  | IReached
  | IAttempted
  | ILogged
  | IProgressed
  | IArgumentsDecide
  | IOther;

export interface ITree {
  summary: string;
  counts: ICounts;
  calls: ICall[];
}

interface IPlace {
  seq: number;
  identity: number;
  flags: number;
}

interface IVisit extends IPlace {
  depth: number;
}

/** Takes the records of one request and gives the tree at any time. */
export class CallTree {
  apply(records: CallRecord[]): void {
    for (const record of records) {
      this._apply(record);
    }
  }

  /** The tree; null before the root call is recorded. `live`: somebody runs the request now. */
  tree(run: number, live: boolean): ITree | null {
    const root = this._rows.get(ROOT);
    if (root === undefined) {
      return null;
    }
    const calls: ICall[] = [];
    const numbers = new Map<string, number>();
    const served = this._reached.get(0)?.get(`${run * 65536} 0 ${ROOT}`);
    const flags = served?.flags ?? 0;
    const stack: IVisit[] = [{ seq: 0, identity: ROOT, flags, depth: 0 }];
    for (let one = stack.pop(); one !== undefined; one = stack.pop()) {
      const below = this._children(one.identity);
      calls.push(this._call(one, run, live, numbers, below.length));
      for (const place of below.reverse()) {
        stack.push({ ...place, depth: one.depth + 1 });
      }
    }
    const counts = count(calls);
    return { summary: summary(counts), counts, calls };
  }

  private _apply(record: CallRecord): void {
    switch (record.type) {
      case 'CallRow':
        this._takeRow(record);
        break;
      case 'Reached': {
        const at = `${record.pass_no} ${record.seq} ${record.identity}`;
        const known = this._reached.get(record.parent) ?? new Map();
        this._reached.set(record.parent, known.set(at, record));
        this._sawPass(record.parent, record.pass_no);
        break;
      }
      case 'Progressed': {
        const before = this._progress.get(record.identity);
        if (before === undefined || record.at >= before.at) {
          this._progress.set(record.identity, record);
        }
        break;
      }
      case 'Logged':
        this._takeLog(record);
        break;
      case 'Attempted': {
        const before = this._attempts.get(record.identity);
        const last: [number, number] = [record.pass_no, record.attempt];
        if (before === undefined || compare(last, before) > 0) {
          this._attempts.set(record.identity, last);
        }
        break;
      }
      case 'ArgumentsDecide':
        this._sawPass(record.parent, record.pass_no);
        break;
      default:
        break;
    }
  }

  private _takeRow(row: ICallRow): void {
    const before = this._rows.get(row.identity);
    if (before !== undefined && compare(age(row), age(before)) < 0) {
      return;
    }
    this._rows.set(row.identity, row);
    if (row.identity !== ROOT) {
      const below = this._below.get(row.parent) ?? new Set();
      this._below.set(row.parent, below.add(row.identity));
      this._sawPass(row.parent, row.pass_no);
    }
  }

  private _takeLog(log: ILogged): void {
    const logs = this._logs.get(log.identity) ?? [];
    const last = logs[logs.length - 1];
    const repeated =
      last !== undefined &&
      last.pass_no === log.pass_no &&
      last.at === log.at &&
      last.stream === log.stream &&
      last.text === log.text;
    if (!repeated) {
      logs.push(log);
    }
    this._logs.set(log.identity, logs);
  }

  private _sawPass(parent: number, pass: number): void {
    this._newest.set(parent, Math.max(pass, this._newest.get(parent) ?? pass));
  }

  /** Calls of the newest body of `parent`, in program order. */
  private _children(parent: number): IPlace[] {
    const newest = this._newest.get(parent);
    if (newest === undefined || this._rows.get(parent)?.children === 0) {
      return [];
    }
    const found = new Map<number, IPlace>();
    for (const identity of this._below.get(parent) ?? []) {
      const row = this._rows.get(identity);
      if (row !== undefined && row.pass_no === newest) {
        found.set(identity, { seq: row.seq, identity, flags: 0 });
      }
    }
    for (const stretch of this._reached.get(parent)?.values() ?? []) {
      for (let n = 0; stretch.pass_no === newest && n < stretch.count; n++) {
        const identity = stretch.identity + n;
        if (this._rows.has(identity) && !found.has(identity)) {
          const seq = stretch.seq + n;
          found.set(identity, { seq, identity, flags: stretch.flags });
        }
      }
    }
    return [...found.values()].sort(
      (one, other) => one.seq - other.seq || one.identity - other.identity
    );
  }

  private _call(
    one: IVisit,
    run: number,
    live: boolean,
    numbers: Map<string, number>,
    children: number
  ): ICall {
    const row = this._rows.get(one.identity) as ICallRow;
    const name = GROUPS.includes(row.kind)
      ? `${row.name}.${row.kind}`
      : row.name;
    const index = numbers.get(name) ?? 0;
    numbers.set(name, index + 1);
    const last = this._attempts.get(row.identity);
    const tried = last !== undefined && last[0] === row.pass_no ? last[1] : 0;
    const gone = row.status === 'running' && !live;
    return {
      id: row.identity,
      parent: row.parent,
      depth: one.depth,
      label: BODIES.includes(row.kind) ? name : `${name}[${index}]`,
      name: row.name,
      kind: row.kind,
      fingerprint: '',
      status: gone ? 'interrupted' : row.status,
      source: Math.floor(row.pass_no / 65536) === run ? 'ran' : 'checkpoint',
      attempts: Math.max(row.attempts, tried),
      args_changed: (one.flags & ARGUMENTS) === ARGS_CHANGED,
      not_comparable: (one.flags & NOT_COMPARABLE) !== 0,
      code_changed: (one.flags & CODE_CHANGED) !== 0,
      file_changed: (one.flags & FILE_CHANGED) !== 0,
      stored: (row.flags & NOT_STORED) === 0,
      started_at: row.started_at,
      duration: row.duration,
      progress: progressOf(this._progress.get(row.identity)),
      logs: (this._logs.get(row.identity) ?? []).map(log => [
        log.stream,
        log.text
      ]),
      metrics: unpacked(row.metrics),
      children
    };
  }

  private _rows = new Map<number, ICallRow>();
  private _below = new Map<number, Set<number>>();
  private _reached = new Map<number, Map<string, IReached>>();
  private _newest = new Map<number, number>();
  private _progress = new Map<number, IProgressed>();
  private _logs = new Map<number, ILogged[]>();
  private _attempts = new Map<number, [number, number]>();
}

function age(row: ICallRow): [number, number, number] {
  return [row.pass_no, row.attempts, row.status !== 'running' ? 1 : 0];
}

function compare(one: number[], other: number[]): number {
  for (let n = 0; n < one.length; n++) {
    if (one[n] !== other[n]) {
      return one[n] - other[n];
    }
  }
  return 0;
}

function progressOf(record: IProgressed | undefined): IProgress | null {
  if (record === undefined) {
    return null;
  }
  return {
    current: record.current,
    total: record.total,
    message: record.message,
    attributes: record.attributes ? JSON.parse(record.attributes) : {}
  };
}

export function summary(counts: ICounts): string {
  const { reused, executed, failed, running } = counts;
  return [
    reused ? `${reused} from checkpoint` : '',
    `${executed} ran`,
    failed ? `${failed} failed` : '',
    running ? `${running} running` : '',
    savedText(counts) ? `saved ${savedText(counts)}` : '',
    counts.code_changed
      ? `${counts.code_changed} reused with changed code`
      : '',
    counts.args_changed
      ? `${counts.args_changed} reused with changed arguments`
      : '',
    counts.not_comparable
      ? `${counts.not_comparable} reused with arguments not comparable`
      : '',
    counts.file_changed
      ? `${counts.file_changed} reused with changed files`
      : ''
  ]
    .filter(part => part)
    .join(' · ');
}
