/**
 * One row of a view: its elements, and what they say.
 *
 * Rules of this file
 * - A state is said by a sign and a word, never by colour alone.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { Axis, ISpan } from './axis';
import { element, patch, setAttribute, setText, show, visible } from './dom';
import { Model } from './model';
import { IGroup, IShownCall } from './protocol';
import { groupText, mark, progressText, statusWord } from './words';

const LONGEST_LINE = 200;

export interface IParts {
  row: HTMLElement;
  twisty: HTMLElement;
  sign: HTMLElement;
  label: HTMLElement;
  values: HTMLElement;
  badges: HTMLElement;
  source: HTMLElement;
  duration: HTMLElement;
  track: HTMLElement;
  bar: HTMLElement;
  share: HTMLElement;
}

export function makeParts(): IParts {
  const twisty = element('span', 'twisty');
  const sign = element('span', 'sign');
  const label = element('code', 'label');
  const values = element('span', 'values');
  const badges = element('span', 'badges');
  const share = element('span', 'share', [element('u', '')]);
  const name = element('div', 'name', [
    twisty,
    sign,
    label,
    values,
    share,
    badges
  ]);
  const source = element('span', 'source');
  const duration = element('span', 'duration');
  const bar = element('i', 'bar');
  const track = element('div', 'track', [bar]);
  twisty.setAttribute('aria-hidden', 'true');
  const row = element('div', 'row', [name, source, duration, track]);
  return {
    row,
    twisty,
    sign,
    label,
    values,
    badges,
    source,
    duration,
    track,
    bar,
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
  elapsed: number,
  trans: TranslationBundle
): string {
  if (group !== null) {
    return groupText(group, trans);
  }
  if (call.status === 'running' && call.progress !== null) {
    const said = progressText(call.progress, elapsed, trans);
    return call.progress.message
      ? `${said} · ${visible(call.progress.message)}`
      : said;
  }
  const output = call.output ? ` → ${call.output}` : '';
  return visible(`${call.arguments}${output}`).slice(0, LONGEST_LINE);
}

export function sourceText(
  call: IShownCall,
  status: string,
  trans: TranslationBundle
): string {
  if (call.source === 'checkpoint') {
    return trans.__('from checkpoint');
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

export function setBar(
  bar: HTMLElement,
  span: ISpan,
  axis: Axis,
  status: string
): void {
  const left = Math.min(axis.at(span.start), 0.995);
  const width = Math.max(axis.at(span.end) - left, 0.005);
  bar.style.left = `${(left * 100).toFixed(2)}%`;
  bar.style.width = `${(width * 100).toFixed(2)}%`;
  setAttribute(bar, 'data-status', status);
}

/** The little progress bar of a call that reports progress. */
export function updateShare(
  parts: IParts,
  call: IShownCall | null,
  group: IGroup | null,
  status: string
): void {
  const progress = group === null ? (call?.progress ?? null) : null;
  const shown = progress !== null && status === 'running' && progress.total > 0;
  show(parts.share, shown);
  if (shown && progress !== null) {
    const share = Math.min(Math.max(progress.current / progress.total, 0), 1);
    const inner = parts.share.firstElementChild as HTMLElement;
    inner.style.width = `${(share * 100).toFixed(1)}%`;
  }
}
