/**
 * One row of a view: its elements, and what they say.
 *
 * Rules of this file
 * - A state is said by a sign and a word, never by colour alone.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { Axis, ISpan } from '../model/axis';
import {
  element,
  patch,
  setAttribute,
  setStyle,
  setText,
  show,
  visible
} from './dom';
import { Model } from '../model/model';
import { IRow } from '../model/rows';
import { IGroup, IShownCall } from '../protocol/protocol';
import { IPace } from '../model/rate';
import {
  groupText,
  lasting,
  mark,
  progressText,
  statusWord,
  waitingText
} from './words';

const LONGEST_LINE = 200;

export interface IParts {
  row: HTMLElement;
  twisty: HTMLElement;
  sign: HTMLElement;
  label: HTMLElement;
  values: HTMLElement;
  fault: HTMLElement;
  badges: HTMLElement;
  source: HTMLElement;
  duration: HTMLElement;
  track: HTMLElement;
  share: HTMLElement;
}

export function makeParts(): IParts {
  const twisty = element('span', 'twisty');
  const sign = element('span', 'sign');
  const label = element('code', 'label');
  const values = element('span', 'values');
  const fault = element('span', 'fault');
  const badges = element('span', 'badges');
  const share = element('span', 'share', [element('u', '')]);
  const name = element('div', 'name', [
    twisty,
    sign,
    label,
    values,
    fault,
    share,
    badges
  ]);
  const source = element('span', 'source');
  const duration = element('span', 'duration');
  const track = element('div', 'track');
  twisty.setAttribute('aria-hidden', 'true');
  const row = element('div', 'row', [name, source, duration, track]);
  return {
    row,
    twisty,
    sign,
    label,
    values,
    fault,
    badges,
    source,
    duration,
    track,
    share
  };
}

/** A call that ran when a notebook was saved need not run any more. */
export function statusNow(status: string, model: Model): string {
  return status === 'running' && !model.running ? 'last seen running' : status;
}

export function shownValues(
  call: IShownCall,
  group: IGroup | null,
  pace: IPace | null,
  trans: TranslationBundle
): string {
  if (group !== null) {
    return groupText(group, trans);
  }
  if (call.waiting !== null) {
    return visible(waitingText(call.waiting, trans)).slice(0, LONGEST_LINE);
  }
  if (call.status === 'running' && pace !== null) {
    const said = progressText(pace, trans);
    return call.progress?.message
      ? `${said} · ${visible(call.progress.message)}`
      : said;
  }
  const output = call.output ? ` → ${call.output}` : '';
  return visible(`${call.arguments}${output}`).slice(0, LONGEST_LINE);
}

/** Why a call failed, in one line; nothing where the rows below it tell. */
export function faultText(row: IRow): string {
  const { call, open } = row;
  if (call === null || open || call.status !== 'failed') {
    return '';
  }
  const lines = call.error.split('\n').filter(line => line.trim() !== '');
  const frames = lines.map(line => line.startsWith(' ')).lastIndexOf(true);
  return visible(lines[frames + 1] ?? '').slice(0, LONGEST_LINE);
}

export function sourceText(
  call: IShownCall,
  status: string,
  trans: TranslationBundle
): string {
  if (call.source === 'checkpoint') {
    return call.attempts > 1
      ? trans.__('from checkpoint · %1 attempts', call.attempts)
      : trans.__('from checkpoint');
  }
  if (status === 'running') {
    return call.attempts > 1 ? trans.__('attempt %1', call.attempts) : '';
  }
  return call.attempts > 1
    ? trans.__('ran · %1 attempts', call.attempts)
    : trans.__('ran');
}

export function updateBadges(
  node: HTMLElement,
  call: IShownCall,
  trans: TranslationBundle
): void {
  const said: string[] = [];
  if (call.code_changed) {
    said.push(trans.__('△ code changed'));
  }
  if (call.args_changed) {
    said.push(trans.__('△ arguments changed'));
  }
  if (call.not_comparable) {
    said.push(trans.__('△ arguments not comparable'));
  }
  if (call.file_changed) {
    said.push(trans.__('△ file changed'));
  }
  if (!call.stored) {
    said.push(trans.__('not checkpointed'));
  }
  patch(
    node,
    said,
    text => text,
    text => element('span', 'badge', text),
    () => undefined
  );
  // Narrow views have no column that says it.
  const tried = call.attempts > 1 ? trans.__('%1 attempts', call.attempts) : '';
  setAttribute(node, 'data-attempts', tried || null);
}

export function setSign(
  parts: IParts,
  status: string,
  trans: TranslationBundle
): void {
  setText(parts.sign, mark(status));
  setAttribute(parts.sign, 'title', statusWord(status, trans));
  setAttribute(parts.sign, 'data-status', status);
}

/** Where a call stands on the axis; a map whose items are reused, where they stand. */
export function spanOf(own: ISpan, items: IGroup | null): ISpan {
  return items !== null && items.total > 0 && items.reused === items.total
    ? { start: items.started_at, end: items.started_at + items.seconds }
    : own;
}

export function barClass(
  call: IShownCall,
  items: IGroup | null,
  status: string
): string {
  const reused =
    items === null || items.total === 0
      ? call.source === 'checkpoint'
      : items.reused === items.total;
  return reused && status === 'succeeded' ? 'checkpoint' : status;
}

/** One bar on the time axis. */
interface IBar {
  span: ISpan;
  status: string;
  said: string;
}

/** A call's bars: one for each attempt; where it is not known when the last began, its bar holds the wait before it. */
export function barsOf(
  call: IShownCall,
  span: ISpan,
  status: string,
  trans: TranslationBundle
): IBar[] {
  const bars = call.tries.map(each => ({
    span: { start: each.started_at, end: each.started_at + each.duration },
    status: 'attempt',
    said: visible(
      trans.__(
        'attempt %1 failed after %2: %3',
        each.number,
        lasting(each.duration),
        each.error
      )
    )
  }));
  const before = bars[bars.length - 1];
  const began = before === undefined ? null : call.last_try_at;
  const start = Math.min(began ?? before?.span.end ?? span.start, span.end);
  const lasted = lasting(span.end - start);
  const said =
    before === undefined
      ? ''
      : began === null
        ? trans.__(
            'attempt %1, with the wait before it: %2',
            call.attempts,
            lasted
          )
        : trans.__('attempt %1: %2', call.attempts, lasted);
  return [...bars, { span: { start, end: span.end }, status, said }];
}

export function setBars(track: HTMLElement, bars: IBar[], axis: Axis): void {
  patch(
    track,
    bars,
    bar => String(bars.indexOf(bar)),
    () => element('i', 'bar'),
    (node, bar) => setBar(node, bar, axis)
  );
}

function setBar(node: HTMLElement, bar: IBar, axis: Axis): void {
  const left = Math.min(axis.at(bar.span.start), 0.995);
  const width = Math.max(axis.at(bar.span.end) - left, 0.005);
  setStyle(node, 'left', `${(left * 100).toFixed(2)}%`);
  setStyle(node, 'width', `${(width * 100).toFixed(2)}%`);
  setAttribute(node, 'data-status', bar.status);
  setAttribute(node, 'title', bar.said || null);
}

/** The little progress bar of what says how far it is. */
export function updateShare(
  parts: IParts,
  pace: IPace | null,
  status: string
): void {
  const shown = pace !== null && status === 'running';
  show(parts.share, shown);
  if (shown) {
    setShare(parts.share.firstElementChild as HTMLElement, pace);
  }
}

export function setShare(inner: HTMLElement, pace: IPace): void {
  const share = Math.min(Math.max(pace.current / pace.total, 0), 1);
  setStyle(inner, 'width', `${(share * 100).toFixed(1)}%`);
}
