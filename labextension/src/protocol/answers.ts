/**
 * What the kernel answers when it is asked for more than a snapshot holds.
 *
 * Rules of this file
 * - No DOM. As foreign as a snapshot: nothing is believed.
 */

import { PartialJSONObject } from '@lumino/coreutils';
import { IShownCall, MIME_TYPE, readCall, readHead } from './protocol';
import { fields, list, number, optional, readLogs, text } from './read';

/** A page of calls. */
export interface IPage {
  calls: IShownCall[];
  total: number;
}

/** A value as the kernel shows it. */
export type Preview =
  | { type: 'text'; text: string }
  | { type: 'table'; columns: string[]; rows: string[][]; note: string }
  | { type: 'image'; mime: string; data: string; note: string };

/** What is known of one call. */
export interface IDetail {
  inputs: { name: string; value: Preview }[];
  output: Preview | null;
  error: string;
  logs: [string, string][];
  input_text: string;
  attempts: IAttempt[];
}

/** What one attempt came to. Of the last one only its end is recorded. */
export interface IAttempt {
  number: number;
  status: string;
  error: string;
  started_at: number | null;
  duration: number | null;
  ended_at: number | null;
}

/** Functions whose code is another one now than the recorded one, and those that are not defined. */
export interface IChanges {
  changed: string[];
  missing: string[];
}

/** The request that is shown at a place. */
export interface IAtPlace {
  /** Its id; empty where none is. */
  request: string;
  /** Whether the kernel took that place. */
  known: boolean;
}

/** A cell that is to go on with its request. */
export interface IResumed {
  /** Names that it reads and the kernel has not, with what makes each; then nothing goes on. */
  missing: string[];
}

/** One line of what a replay would do. */
export interface IPreviewRow {
  call: string;
  action: string;
  why: string;
  saved: number;
}

/** What a replay would do. */
export interface IPlan {
  /** A call each, or many of one name. */
  rows: IPreviewRow[];
  /** Rows that were not sent. */
  more: number;
  reused: number;
  executed: number;
  /** Calls that are reused only if their arguments stay the same. */
  depending: number;
  /** What is to know of reused calls, and of how many. */
  marks: { why: string; count: number }[];
  /** Seconds. */
  saved: number;
}

export function readPage(value: unknown): IPage {
  const given = fields(value);
  return {
    calls: list(given.calls).map(readCall),
    total: number(given.total)
  };
}

function readPreview(value: unknown): Preview {
  const given = fields(value);
  if (given.type === 'table') {
    return {
      type: 'table',
      columns: list(given.columns, 50).map(text),
      rows: list(given.rows, 50).map(row => list(row, 50).map(text)),
      note: text(given.note)
    };
  }
  const mime = text(given.mime);
  if (given.type === 'image' && ['image/png', 'image/jpeg'].includes(mime)) {
    const data = typeof given.data === 'string' ? given.data : '';
    return { type: 'image', mime, data, note: text(given.note) };
  }
  return { type: 'text', text: text(given.text) };
}

export function readDetail(value: unknown): IDetail {
  const given = fields(value);
  return {
    inputs: list(given.inputs, 50).map(each => ({
      name: text(fields(each).name),
      value: readPreview(fields(each).value)
    })),
    output: given.output ? readPreview(given.output) : null,
    error: text(given.error),
    logs: readLogs(given.logs),
    input_text: text(given.input_text),
    attempts: list(given.attempts, 50).map(readAttempt)
  };
}

function readAttempt(value: unknown): IAttempt {
  const given = fields(value);
  return {
    number: number(given.number),
    status: text(given.status),
    error: text(given.error),
    started_at: optional(given.started_at),
    duration: optional(given.duration),
    ended_at: optional(given.ended_at)
  };
}

export function readChanges(value: unknown): IChanges {
  const given = fields(value);
  return {
    changed: list(given.changed, 100).map(text),
    missing: list(given.missing, 100).map(text)
  };
}

export function readAtPlace(value: unknown): IAtPlace {
  const { request, known } = fields(value);
  return { request: text(request), known: known === true };
}

/** What belongs into a place, by MIME types; null where there is nothing, or another one writes it. */
export function readKept(value: unknown): PartialJSONObject | null {
  const { data } = fields(value);
  return readHead(fields(data)[MIME_TYPE]) === null
    ? null
    : (data as PartialJSONObject);
}

export function readResumed(value: unknown): IResumed {
  return { missing: list(fields(value).missing, 200).map(text) };
}

export function readPlan(value: unknown): IPlan {
  const given = fields(value);
  const counts = fields(given.counts);
  return {
    rows: list(given.rows, 500).map(each => ({
      call: text(fields(each).call),
      action: text(fields(each).action),
      why: text(fields(each).why),
      saved: number(fields(each).saved)
    })),
    more: number(given.more),
    reused: number(counts.reused),
    executed: number(counts.executed),
    depending: number(counts.depending),
    marks: list(counts.marks, 20).map(each => {
      const [why, count] = list(each, 2);
      return { why: text(why), count: number(count) };
    }),
    saved: number(given.saved)
  };
}
