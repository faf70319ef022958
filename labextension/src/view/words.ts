/**
 * What states and numbers are called on the page.
 *
 * Rules of this file
 * - No DOM. Every text goes through the translation bundle.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { savedText, spoken } from '../model/counting';
import { endedIn } from '../model/ended';
import {
  IAhead,
  ICounts,
  IGroup,
  ISnapshot,
  IWaiting
} from '../protocol/protocol';
import { IPace, secondsLeft } from '../model/rate';
import { visible } from './dom';

/** Calls that took so much longer than their group did: several ran at once, so the sum is told, too. */
const MUCH_MORE = 1.2;

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

/** `3.1/s`, `12/min`, `3/h`. */
export function rateText(perSecond: number): string {
  if (perSecond >= 9.95) {
    return `${thousands(Math.round(perSecond))}/s`;
  }
  if (perSecond >= 0.95) {
    return `${perSecond.toFixed(1)}/s`;
  }
  const perMinute = perSecond * 60;
  return perMinute >= 0.95
    ? `${Math.round(perMinute)}/min`
    : `${(perMinute * 60).toFixed(1)}/h`;
}

/** `618 of 1,000 · 9.4/s · about 41 s left`. */
export function progressText(pace: IPace, trans: TranslationBundle): string {
  const { current, total } = pace;
  const parts = [
    trans.__('%1 of %2', thousands(round(current)), thousands(round(total)))
  ];
  const left = leftText(pace, trans);
  if (left) {
    parts.push(left);
  }
  return parts.join(' · ');
}

/** `615 done · 3 failed · 8 running · 374 queued`. */
export function groupText(group: IGroup, trans: TranslationBundle): string {
  const parts = [trans.__('%1 done', thousands(group.succeeded))];
  if (group.failed) {
    parts.push(trans.__('%1 failed', thousands(group.failed)));
  }
  if (group.cut_off) {
    parts.push(trans.__('%1 cancelled', thousands(group.cut_off)));
  }
  if (group.running) {
    parts.push(trans.__('%1 running', thousands(group.running)));
  }
  if (group.queued) {
    parts.push(trans.__('%1 queued', thousands(group.queued)));
  }
  // The words first: a sum whose end is cut off is read as a duration.
  if (group.running === 0 && group.added_up > MUCH_MORE * group.seconds) {
    parts.push(trans.__('added up %1', lasting(group.added_up)));
  }
  return parts.join(' · ');
}

/**
 * What the button does that goes on with a request: `Resume: 4 to run, 56 reused`. A cell resumes with the code that it
 * holds now; what that changes is said beside the button.
 */
export function goOnText(
  ahead: IAhead | null,
  how: { hasCell: boolean; latest: boolean },
  trans: TranslationBundle
): string {
  const { hasCell, latest } = how;
  if (ahead === null) {
    return latest ? trans.__('Replay with latest code') : trans.__('Replay');
  }
  const verb = hasCell
    ? trans.__('Resume')
    : latest
      ? trans.__('Replay with latest code')
      : trans.__('Replay');
  const parts = [trans.__('%1 to run', thousands(ahead.execute))];
  if (ahead.reuse > 0) {
    parts.push(trans.__('%1 reused', thousands(ahead.reuse)));
  }
  return trans.__('%1: %2', verb, parts.join(', '));
}

/** Where a request failed and why, in its own words; empty where it did not, or a row of its own says so. */
export function faultInWords(snapshot: ISnapshot): string {
  const { status, error } = snapshot.request;
  if (status !== 'failed' || !error) {
    return '';
  }
  const label = endedIn(snapshot)?.label ?? '';
  return visible(label ? `${label}: ${error}` : error);
}

/** `9.4/s · about 41 s left`; empty where that cannot be said. */
export function leftText(pace: IPace | null, trans: TranslationBundle): string {
  const left = pace === null ? null : secondsLeft(pace);
  return left === null || pace === null || pace.perSecond === null
    ? ''
    : `${rateText(pace.perSecond)} · ${trans.__('about %1 left', about(left))}`;
}

/** `waiting for approval: send 40 letters?`. */
export function waitingText(
  waiting: IWaiting,
  trans: TranslationBundle
): string {
  const said =
    waiting.kind === 'approval'
      ? trans.__('waiting for approval')
      : trans.__('waiting for input');
  return waiting.prompt ? `${said}: ${waiting.prompt}` : said;
}

/** `612 ran · 3 from checkpoint`; while it runs, how long it will. */
export function groupSource(
  group: IGroup,
  pace: IPace | null,
  trans: TranslationBundle
): string {
  const left = group.running > 0 ? leftText(pace, trans) : '';
  if (left) {
    return left;
  }
  const { total, reused, running, queued } = group;
  const ran = total - reused - running - queued;
  const parts = [];
  if (group.reused) {
    parts.push(trans.__('%1 from checkpoint', thousands(group.reused)));
  }
  if (ran > 0) {
    parts.push(trans.__('%1 ran', thousands(ran)));
  }
  return parts.join(' · ');
}

/** What one line says of a request: `3 calls · 2.4 s · all ran`, `4 ran · 1 failed · part[3]: RuntimeError: no answer`. */
export function inOneLine(
  snapshot: ISnapshot,
  trans: TranslationBundle
): string {
  const parts =
    snapshot.request.status === 'succeeded'
      ? wentWell(snapshot, trans)
      : howFar(snapshot, trans);
  return parts.join(' · ');
}

function wentWell(snapshot: ISnapshot, trans: TranslationBundle): string[] {
  const { reused, executed, failed } = snapshot.counts;
  const saved = visible(savedText(snapshot.counts));
  const { started_at: began, finished_at: ended } = snapshot.request;
  const calls = reused + executed;
  const parts = [trans._n('%1 call', '%1 calls', calls, thousands(calls))];
  if (began !== null && ended !== null) {
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
  if (failed) {
    parts.push(trans.__('%1 failed', thousands(failed)));
  }
  if (saved) {
    parts.push(trans.__('saved %1', saved));
  }
  return parts;
}

/** Of a request that did not succeed: what there is of it, and where it ended. */
function howFar(snapshot: ISnapshot, trans: TranslationBundle): string[] {
  const { reused, executed, failed, running } = snapshot.counts;
  const saved = visible(savedText(snapshot.counts));
  const { status } = snapshot.request;
  const parts = [];
  if (reused) {
    parts.push(trans.__('%1 from checkpoint', thousands(reused)));
  }
  parts.push(trans.__('%1 ran', thousands(executed)));
  if (failed) {
    parts.push(trans.__('%1 failed', thousands(failed)));
  }
  if (running) {
    parts.push(trans.__('%1 running', thousands(running)));
  }
  if (saved) {
    parts.push(trans.__('saved %1', saved));
  }
  const label = visible(endedIn(snapshot)?.label ?? '');
  const fault = faultInWords(snapshot);
  if (fault) {
    parts.push(fault);
  } else if (label && status === 'cancelled') {
    parts.push(trans.__('cancelled in %1', label));
  } else if (label && status === 'interrupted') {
    parts.push(trans.__('interrupted in %1', label));
  }
  return parts;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** An estimate is not said to a tenth of a second. */
function about(seconds: number): string {
  return spoken(Math.max(seconds, 1)).replace(/\.\d s$/, ' s');
}

/** What of the reused calls may be out of date; empty when nothing is. */
export function driftText(counts: ICounts, trans: TranslationBundle): string {
  const code = counts.code_changed;
  const args = counts.args_changed;
  const unknown = counts.not_comparable;
  const files = counts.file_changed;
  const said = [
    trans._n(
      '%1 reused call has changed code',
      '%1 reused calls have changed code',
      code,
      code
    ),
    trans._n(
      '%1 has changed arguments',
      '%1 have changed arguments',
      args,
      args
    ),
    trans._n(
      '%1 has arguments that cannot be compared',
      '%1 have arguments that cannot be compared',
      unknown,
      unknown
    ),
    trans._n(
      '%1 read a file that has changed',
      '%1 read files that have changed',
      files,
      files
    )
  ];
  return said.filter((_, n) => [code, args, unknown, files][n] > 0).join(' · ');
}
