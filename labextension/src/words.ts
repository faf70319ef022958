/**
 * What states and numbers are called on the page.
 *
 * Rules of this file
 * - No DOM. Every text goes through the translation bundle.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { spoken } from './calltree';
import { IGroup, IProgress, ISnapshot } from './protocol';

const MARKS: Record<string, string> = {
  succeeded: '✓',
  failed: '✕',
  running: '●',
  'last seen running': '◌',
  cancelled: '⊘',
  interrupted: '◌',
  queued: '…',
  waiting: '…'
};

/** A sign for a status: never the only one, never by its colour alone. */
export function mark(status: string): string {
  return MARKS[status] ?? '?';
}

export function statusWord(status: string, trans: TranslationBundle): string {
  const words: Record<string, string> = {
    succeeded: trans.__('succeeded'),
    failed: trans.__('failed'),
    running: trans.__('running'),
    'last seen running': trans.__('last seen running'),
    cancelled: trans.__('cancelled'),
    interrupted: trans.__('interrupted'),
    queued: trans.__('queued'),
    waiting: trans.__('waiting')
  };
  return words[status] ?? status;
}

export function thousands(count: number): string {
  return count.toLocaleString('en-US');
}

/** A duration; short ones in milliseconds. */
export function lasting(seconds: number): string {
  if (seconds >= 0.95) {
    return spoken(seconds);
  }
  return seconds < 0.001 ? '< 1 ms' : `${Math.round(seconds * 1000)} ms`;
}

/** `618 of 1,000 · about 40 s left`. */
export function progressText(
  progress: IProgress,
  elapsed: number,
  trans: TranslationBundle
): string {
  const { current, total } = progress;
  const parts = [
    trans.__('%1 of %2', thousands(round(current)), thousands(round(total)))
  ];
  const share = total > 0 ? current / total : 0;
  if (share > 0 && share < 1 && elapsed > 2) {
    const left = spoken((elapsed * (1 - share)) / share);
    parts.push(trans.__('about %1 left', left));
  }
  return parts.join(' · ');
}

/** `615 done · 3 failed · 8 running`. */
export function groupText(group: IGroup, trans: TranslationBundle): string {
  const parts = [trans.__('%1 done', thousands(group.succeeded))];
  if (group.failed) {
    parts.push(trans.__('%1 failed', thousands(group.failed)));
  }
  if (group.running) {
    parts.push(trans.__('%1 running', thousands(group.running)));
  }
  return parts.join(' · ');
}

/** `612 ran · 3 from checkpoint`. */
export function groupSource(group: IGroup, trans: TranslationBundle): string {
  const ran = group.total - group.reused - group.running;
  const parts = [];
  if (group.reused) {
    parts.push(trans.__('%1 from checkpoint', thousands(group.reused)));
  }
  if (ran > 0) {
    parts.push(trans.__('%1 ran', thousands(ran)));
  }
  return parts.join(' · ');
}

/** What one line says of a request that went well: `3 calls · 2.4 s · all ran`. */
export function inOneLine(
  snapshot: ISnapshot,
  trans: TranslationBundle
): string {
  const { reused, executed, saved } = snapshot.counts;
  const { started_at: began, finished_at: ended } = snapshot.request;
  const calls = reused + executed;
  const parts = [trans._n('%1 call', '%1 calls', calls, thousands(calls))];
  if (began !== null && ended !== null && reused === 0) {
    parts.push(lasting(ended - began));
  }
  if (reused === 0) {
    parts.push(trans.__('all ran'));
  } else if (executed === 0) {
    parts.push(trans.__('all from checkpoint'));
  } else {
    parts.push(trans.__('%1 from checkpoint', thousands(reused)));
    parts.push(trans.__('%1 ran', thousands(executed)));
  }
  if (saved >= 0.05) {
    parts.push(trans.__('saved %1', spoken(saved)));
  }
  return parts.join(' · ');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
