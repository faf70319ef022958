/**
 * Which request a cell owns, and what its mark says.
 *
 * Rules of this file
 * - No DOM. What an output holds is foreign; it is read by `readSnapshot`, without the calls.
 * - A cell owns what it shows while it runs (display data); a request that is merely its value belongs to another cell.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import {
  ICounts,
  ISnapshot,
  MIME_TYPE,
  readSnapshot
} from '../protocol/protocol';
import { inOneLine, mark, statusWord, thousands } from '../view/words';

const FRESH_SECONDS = 5;
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

/** The newest request among a cell's outputs, without its calls; null when there is none. */
export function ownedRequest(outputs: IOutputs): ISnapshot | null {
  let newest: ISnapshot | null = null;
  for (let index = 0; index < outputs.length; index++) {
    const { type, data } = outputs.get(index);
    const given = type === 'display_data' ? data[MIME_TYPE] : undefined;
    if (typeof given === 'object' && given !== null) {
      const found = readSnapshot({ ...given, calls: [], groups: [] });
      if (found !== null && found.sequence >= (newest?.sequence ?? 0)) {
        newest = found;
      }
    }
  }
  return newest;
}

/** The status of a request now. A picture that says "running" is believed while its cell executes or news come. */
export function statusNow(
  snapshot: ISnapshot,
  executing: boolean,
  now: number
): string {
  const { status } = snapshot.request;
  const known = executing || Math.abs(now - snapshot.at) < FRESH_SECONDS;
  return status === 'running' && !known ? 'last seen running' : status;
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
