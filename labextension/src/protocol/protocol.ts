/**
 * What the kernel, a saved notebook and this page say to each other.
 *
 * Rules of this file
 * - No DOM.
 * - What comes from a notebook is foreign: `readSnapshot` believes nothing (see read.ts), and what is not a
 *   snapshot at all is null.
 * - Snapshots are whole and numbered: one that is missed, repeated or late does no harm.
 */

import { Fields, fields, list, number, optional, readLogs, text } from './read';

export const MIME_TYPE = 'application/vnd.jupyter-durable.request+json';

/** Type of the messages on the control channel. */
export const REQUEST_TYPE = 'durable_request';

export const VERSION = 1;

const MOST_TRIES = 20;
const MOST_METRICS = 50;
const MOST_FIELDS = 30;
const LONGEST_NAME = 200;

export interface IProgress {
  current: number;
  total: number;
  message: string | null;
  attributes: Record<string, string>;
}

/** A sum over what calls measured: `counter` or `timer`, name, value. */
export type IMetric = [string, string, number];

/** One call, as `to_json` of core/calltree.py gives it. Times are Unix seconds, durations seconds. */
export interface ICall {
  id: number;
  parent: number;
  depth: number;
  label: string;
  name: string;
  kind: string;
  fingerprint: string;
  status: string;
  source: string;
  attempts: number;
  args_changed: boolean;
  not_comparable: boolean;
  code_changed: boolean;
  file_changed: boolean;
  stored: boolean;
  started_at: number;
  duration: number | null;
  progress: IProgress | null;
  logs: [string, string][];
  metrics: IMetric[];
  children: number;
}

/** An attempt that failed and was followed by another. */
export interface ITry {
  number: number;
  started_at: number;
  duration: number;
  error: string;
}

/** One field of the form that a waiting call asks for. */
export interface IField {
  name: string;
  title: string;
  type: 'text' | 'number' | 'boolean';
}

/** What a call waits for. `answerable`: the kernel takes the operation `answer`. */
export interface IWaiting {
  kind: 'approval' | 'form';
  prompt: string;
  form: IField[];
  answerable: boolean;
}

/** A call with its previews, made in the kernel. */
export interface IShownCall extends ICall {
  arguments: string;
  output: string;
  error: string;
  tries: ITry[];
  /** When the last of several attempts began; null where that is not known. */
  last_try_at: number | null;
  waiting: IWaiting | null;
  /** The run that executed it, where that is not the one that is shown; else 0. */
  run: number;
}

/** All siblings of one name, where they are too many to be rows of their own. */
export interface IGroup {
  parent: number;
  name: string;
  kind: string;
  total: number;
  succeeded: number;
  failed: number;
  /** Cancelled or interrupted. */
  cut_off: number;
  running: number;
  queued: number;
  reused: number;
  started_at: number;
  /** From the first start to the last end, without the time between two runs. */
  seconds: number;
  /** How long each took, added up. */
  added_up: number;
}

export interface ICounts {
  reused: number;
  executed: number;
  failed: number;
  running: number;
  args_changed: number;
  code_changed: number;
  saved: number;
  not_comparable: number;
  file_changed: number;
  metrics: IMetric[];
  saved_metrics: IMetric[];
}

export interface IRequest {
  id: string;
  application: string;
  kind: string;
  status: string;
  run: number;
  error: string;
  started_at: number | null;
  finished_at: number | null;
  forked_from: string;
}

/** How many calls a replay of what is recorded would execute, and how many it would reuse. */
export interface IAhead {
  execute: number;
  reuse: number;
}

/** One state of a request. */
export interface ISnapshot {
  version: number;
  sequence: number;
  at: number;
  display: string;
  request: IRequest;
  counts: ICounts;
  /** What going on with it would do; null where that is not known, or nobody asks. */
  ahead: IAhead | null;
  summary: string;
  calls: IShownCall[];
  groups: IGroup[];
  omitted: number;
  /** The calls are not here: they are not saved in the notebook, and can be asked for. */
  partial: boolean;
}

function readProgress(value: unknown): IProgress | null {
  const given = fields(value);
  if (optional(given.current) === null || optional(given.total) === null) {
    return null;
  }
  const attributes: Record<string, string> = {};
  for (const [name, each] of Object.entries(fields(given.attributes))) {
    attributes[name] = text(each);
  }
  return {
    current: number(given.current),
    total: number(given.total),
    message: given.message === null ? null : text(given.message),
    attributes
  };
}

/** Sums of what calls measured. */
export function readMetrics(value: unknown): IMetric[] {
  return list(value, MOST_METRICS).map(each => {
    const [kind, name, sum] = list(each);
    return [text(kind), text(name), number(sum)];
  });
}

export function readCall(value: unknown): IShownCall {
  const given = fields(value);
  return {
    id: number(given.id),
    parent: number(given.parent),
    depth: number(given.depth),
    label: text(given.label),
    name: text(given.name),
    kind: text(given.kind),
    fingerprint: text(given.fingerprint),
    status: text(given.status),
    source: text(given.source),
    attempts: number(given.attempts),
    args_changed: given.args_changed === true,
    not_comparable: given.not_comparable === true,
    code_changed: given.code_changed === true,
    file_changed: given.file_changed === true,
    stored: given.stored !== false,
    started_at: number(given.started_at),
    duration: optional(given.duration),
    progress: readProgress(given.progress),
    logs: readLogs(given.logs),
    metrics: readMetrics(given.metrics),
    children: number(given.children),
    arguments: text(given.arguments),
    output: text(given.output),
    error: text(given.error),
    tries: list(given.tries, MOST_TRIES).map(readTry),
    last_try_at: optional(given.last_try_at),
    waiting: readWaiting(given.waiting),
    run: number(given.run)
  };
}

function readTry(value: unknown): ITry {
  const given = fields(value);
  return {
    number: number(given.number),
    started_at: number(given.started_at),
    duration: Math.max(0, number(given.duration)),
    error: text(given.error)
  };
}

/** The fields of a JSON schema that a form can ask for: texts, numbers, yes and no. */
function readForm(schema: unknown): IField[] {
  const found: IField[] = [];
  for (const [name, each] of Object.entries(
    fields(fields(schema).properties)
  )) {
    const { type, title } = fields(each);
    if (found.length < MOST_FIELDS) {
      found.push({
        name: name.slice(0, LONGEST_NAME),
        title: text(title).slice(0, LONGEST_NAME),
        type:
          type === 'boolean'
            ? 'boolean'
            : type === 'number' || type === 'integer'
              ? 'number'
              : 'text'
      });
    }
  }
  return found;
}

function readWaiting(value: unknown): IWaiting | null {
  const given = fields(value);
  if (given.kind !== 'approval' && given.kind !== 'form') {
    return null;
  }
  return {
    kind: given.kind,
    prompt: text(given.prompt),
    form: given.kind === 'form' ? readForm(given.schema) : [],
    answerable: given.answerable === true
  };
}

/** Calls that make a tree: each once, after its caller. What goes in circles or hangs on nothing is left out. */
function readTree(value: unknown): IShownCall[] {
  const known = new Set([0]);
  return list(value)
    .map(readCall)
    .filter(call => {
      const sound =
        Number.isInteger(call.id) &&
        call.id > 0 &&
        !known.has(call.id) &&
        known.has(call.parent);
      return sound && known.add(call.id);
    });
}

function readGroup(value: unknown): IGroup {
  const given = fields(value);
  return {
    parent: number(given.parent),
    name: text(given.name),
    kind: text(given.kind),
    total: number(given.total),
    succeeded: number(given.succeeded),
    failed: number(given.failed),
    cut_off: number(given.cut_off),
    running: number(given.running),
    queued: number(given.queued),
    reused: number(given.reused),
    started_at: number(given.started_at),
    seconds: number(given.seconds),
    added_up: number(given.added_up)
  };
}

function readRequest(given: Fields): IRequest {
  return {
    id: text(given.id),
    application: text(given.application),
    kind: text(given.kind),
    status: text(given.status),
    run: number(given.run),
    error: text(given.error),
    started_at: optional(given.started_at),
    finished_at: optional(given.finished_at),
    forked_from: text(given.forked_from)
  };
}

function readCounts(given: Fields): ICounts {
  return {
    reused: number(given.reused),
    executed: number(given.executed),
    failed: number(given.failed),
    running: number(given.running),
    args_changed: number(given.args_changed),
    code_changed: number(given.code_changed),
    saved: number(given.saved),
    not_comparable: number(given.not_comparable),
    file_changed: number(given.file_changed),
    metrics: readMetrics(given.metrics),
    saved_metrics: readMetrics(given.saved_metrics)
  };
}

function readAhead(value: unknown): IAhead | null {
  const { execute, reuse } = fields(value);
  const known = optional(execute) !== null && optional(reuse) !== null;
  return known ? { execute: number(execute), reuse: number(reuse) } : null;
}

/** The snapshot in `value`; null when there is none, or one of a version that is not known here. */
export function readSnapshot(value: unknown): ISnapshot | null {
  const given = fields(value);
  const request = fields(given.request);
  if (given.version !== VERSION || typeof request.id !== 'string') {
    return null;
  }
  return {
    version: VERSION,
    sequence: number(given.sequence),
    at: number(given.at),
    display: text(given.display),
    request: readRequest(request),
    counts: readCounts(fields(given.counts)),
    ahead: readAhead(given.ahead),
    summary: text(given.summary),
    calls: readTree(given.calls),
    groups: list(given.groups).map(readGroup),
    omitted: number(given.omitted),
    partial: given.partial === true
  };
}

/** A snapshot without its calls, which cost most of the reading. */
export function readHead(value: unknown): ISnapshot | null {
  return readSnapshot({ ...fields(value), calls: [], groups: [] });
}

/** The name of the place that an empty output takes for a view; null for another output. */
export function readPlace(value: unknown): string | null {
  const { place } = fields(value);
  return typeof place === 'string' ? place.slice(0, LONGEST_NAME) : null;
}

/** A state that comes without its calls, with those that are known of its run. */
export function completed(snapshot: ISnapshot, known: ISnapshot): ISnapshot {
  const { sequence, at, request, partial } = snapshot;
  const same = request.run === known.request.run;
  return partial && !known.partial && same
    ? { ...known, sequence, at, request }
    : snapshot;
}
