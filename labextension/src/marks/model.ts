/**
 * Which request a cell owns, and what its mark says.
 *
 * Rules of this file
 * - No DOM. What an output holds is foreign; it is read by `readHead`, without the calls.
 * - A cell owns what it shows while it runs (display data); a request that is merely its value belongs to another cell,
 *   and a fork that it shows beside the original is not its own.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import {
  ICounts,
  ISnapshot,
  MIME_TYPE,
  readHead,
  readPlace
} from '../protocol/protocol';
import { inOneLine, mark, statusWord, thousands } from '../view/words';

const GOING_ON = ['running', 'queued', 'waiting'];

/** As much of an output as is needed. */
export interface IOutput {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** As much of a cell's outputs as is needed. */
export interface IOutputs {
  readonly length: number;
  get(index: number): IOutput;
}

/** Requests at places that no output fills, by the names of the places. */
export type Placed = ReadonlyMap<string, string>;

/** A request that a cell owns. */
export interface IOwned {
  id: string;
  /** Its state as it is saved, without its calls; null where its place is empty. */
  head: ISnapshot | null;
  /** Where it stands among the outputs. */
  index: number;
}

/** The newest request among a cell's outputs; null when there is none. */
export function ownedRequest(
  outputs: IOutputs,
  placed: Placed = new Map()
): IOwned | null {
  const shown: IOwned[] = [];
  for (let index = 0; index < outputs.length; index++) {
    const { type, data } = outputs.get(index);
    const given = type === 'display_data' ? data[MIME_TYPE] : null;
    const head = readHead(given);
    const id = head?.request.id ?? placed.get(readPlace(given) ?? '');
    if (id !== undefined) {
      shown.push({ id, head, index });
    }
  }
  const ids = new Set(shown.map(({ id }) => id));
  const age = (owned: IOwned | null) => owned?.head?.sequence ?? 0;
  return shown
    .filter(({ head }) => !ids.has(head?.request.forked_from ?? ''))
    .reduce<IOwned | null>(
      (newest, each) => (age(each) >= age(newest) ? each : newest),
      null
    );
}

/** Whether executing the cell again goes on with the request. */
export function resumable(status: string): boolean {
  return status !== 'succeeded' && !GOING_ON.includes(status);
}

export interface IMarkText {
  status: string;
  sign: string;
  text: string;
  title: string;
}

/** What a mark says: a sign and a word, and how much came from checkpoints. */
export function markText(
  snapshot: ISnapshot,
  status: string,
  trans: TranslationBundle
): IMarkText {
  const { application, id, run } = snapshot.request;
  const { counts } = snapshot;
  const { reused } = counts;
  const word = statusWord(status, trans);
  const served = reused
    ? trans.__('%1 from checkpoint', thousands(reused))
    : '';
  const said = status === 'succeeded' && served ? [served] : [word, served];
  const lines = [
    [application, word].filter(Boolean).join(' · '),
    status === 'succeeded' ? inOneLine(snapshot, trans) : soFar(counts, trans),
    run > 1 ? `${id} · ${trans.__('run %1', run)}` : id
  ];
  return {
    status,
    sign: mark(status),
    text: said.filter(Boolean).join(' · '),
    title: lines.join('\n')
  };
}

function soFar(counts: ICounts, trans: TranslationBundle): string {
  const { reused, executed, failed } = counts;
  const parts = [trans.__('%1 ran', thousands(executed))];
  if (reused > 0) {
    parts.unshift(trans.__('%1 from checkpoint', thousands(reused)));
  }
  if (failed > 0) {
    parts.push(trans.__('%1 failed', thousands(failed)));
  }
  return parts.join(' · ');
}
