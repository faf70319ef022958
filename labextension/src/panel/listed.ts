/**
 * What the panel says of a request, and what can be done with it by the state it is in.
 *
 * Rules of this file
 * - No DOM. Every text goes through the translation bundle.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { savedText } from '../model/counting';
import { underway } from '../requests/live';
import { IListed } from '../requests/requests';
import { lasting, thousands } from '../view/words';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** States in the order in which people look for them. */
export const STATES = [
  'running',
  'failed',
  'interrupted',
  'cancelled',
  'waiting',
  'queued',
  'succeeded'
];

/** What names a request everywhere. */
export function keyOf(one: Pick<IListed, 'store' | 'id'>): string {
  return `${one.store} ${one.id}`;
}

/** How long ago `then` was, Unix seconds. */
export function ago(
  then: number,
  now: number,
  trans: TranslationBundle
): string {
  const seconds = Math.max(0, now - then);
  if (seconds < MINUTE) {
    return trans.__('just now');
  }
  if (seconds < HOUR) {
    return trans.__('%1 min ago', String(Math.floor(seconds / MINUTE)));
  }
  if (seconds < DAY) {
    return trans.__('%1 h ago', String(Math.floor(seconds / HOUR)));
  }
  if (seconds < 7 * DAY) {
    return trans.__('%1 d ago', String(Math.floor(seconds / DAY)));
  }
  return new Date(then * 1000).toISOString().slice(0, 10);
}

/** The last part of a path. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).pop() ?? path;
}

/** Where it was made, when its last run began, how long that took. */
export function placeText(
  one: IListed,
  now: number,
  trans: TranslationBundle
): string {
  const parts = [
    one.notebook ? fileName(one.notebook) : trans.__('no notebook')
  ];
  parts.push(ago(one.began_at ?? one.accepted_at, now, trans));
  const since = one.began_at === null ? null : Math.max(0, now - one.began_at);
  const seconds = one.status === 'running' ? since : one.seconds;
  if (seconds !== null) {
    parts.push(lasting(seconds));
  }
  if (one.runs > 1) {
    parts.push(trans.__('%1 runs', thousands(one.runs)));
  }
  if (one.forked_from) {
    parts.push(trans.__('fork of %1', one.forked_from));
  }
  return parts.join(' · ');
}

/** How its calls went. */
export function callsText(one: IListed, trans: TranslationBundle): string {
  const parts = [];
  if (one.reused > 0) {
    parts.push(trans.__('%1 from checkpoint', thousands(one.reused)));
  }
  if (one.executed > 0) {
    parts.push(trans.__('%1 ran', thousands(one.executed)));
  }
  const saved = savedText(one);
  if (saved) {
    parts.push(trans.__('saved %1', saved));
  }
  return parts.join(' · ');
}

/** Why it cannot be cancelled; null when it can. */
export function cancelRefusal(
  one: IListed,
  trans: TranslationBundle
): string | null {
  return underway(one.status) || one.status === 'interrupted'
    ? null
    : trans.__('It has ended already.');
}

/** Why it cannot be deleted; null when it can. */
export function deleteRefusal(
  one: IListed,
  trans: TranslationBundle
): string | null {
  return underway(one.status)
    ? trans.__('It is running: cancel it first.')
    : null;
}

/** Why the notebook cannot be opened; null when it can. */
export function placeRefusal(
  one: IListed,
  trans: TranslationBundle
): string | null {
  if (one.path !== null) {
    return null;
  }
  return one.notebook !== null && one.notebook.endsWith('.ipynb')
    ? trans.__('%1 is not among the files of this server.', one.notebook)
    : trans.__('It was not made in a notebook.');
}

/** Why its application cannot be exported; null when it can. `shows`: its notebook can open in this page. */
export function exportRefusal(
  one: IListed,
  shows: boolean,
  trans: TranslationBundle
): string | null {
  if (one.path === null) {
    return placeRefusal(one, trans);
  }
  if (one.kind !== 'function_call') {
    return trans.__('A cell is no application.');
  }
  return shows ? null : trans.__('Only in its notebook: open it first.');
}

/** Why it cannot be replayed; null when it can. */
export function replayRefusal(
  one: IListed,
  kernel: boolean,
  trans: TranslationBundle
): string | null {
  if (underway(one.status)) {
    return trans.__('It is running.');
  }
  return kernel || one.path !== null
    ? null
    : trans.__(
        'No kernel here can: run “jupyter durable replay %1” in a terminal.',
        one.id
      );
}
