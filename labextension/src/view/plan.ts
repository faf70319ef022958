/**
 * What a replay would do: the sum, and a table.
 *
 * Rules of this file
 * - The kernel decides what would be done; here it is only shown.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { IPlan, readPlan } from '../protocol/answers';
import { spoken } from '../model/counting';
import { element, visible } from './dom';
import { thousands } from './words';

/** Seconds that are worth a word. */
const LEAST_SAVED = 0.05;

/** A table of cells that are text. */
export function table(columns: string[], rows: string[][]): HTMLElement {
  const line = (texts: string[], tag: 'th' | 'td') =>
    element(
      'tr',
      '',
      texts.map(text => element(tag, '', visible(text)))
    );
  return element('table', 'table', [
    element('thead', '', [line(columns, 'th')]),
    element(
      'tbody',
      '',
      rows.map(row => line(row, 'td'))
    )
  ]);
}

/** The answer to `preview`: the sum, and below it the calls. */
export function planTable(
  reply: unknown,
  trans: TranslationBundle
): HTMLElement {
  const plan = readPlan(reply);
  const saves = plan.rows.some(row => row.saved >= LEAST_SAVED);
  const rows = plan.rows.map(row => [
    row.call,
    row.action,
    row.why,
    ...(saves ? [row.saved >= LEAST_SAVED ? spoken(row.saved) : ''] : [])
  ]);
  const columns = [
    trans.__('Call'),
    trans.__('In a replay'),
    trans.__('Why'),
    ...(saves ? [trans.__('Saves')] : [])
  ];
  return element('div', 'scroll', [
    element('div', 'plan-sum', visible(planSum(plan, trans))),
    table(columns, rows),
    element(
      'div',
      'quiet',
      plan.more > 0 ? trans.__('and %1 more', thousands(plan.more)) : ''
    )
  ]);
}

/** `56 reused · 4 executed · saves 3 min 12 s`. */
export function planSum(plan: IPlan, trans: TranslationBundle): string {
  const parts = [
    trans.__('%1 reused', thousands(plan.reused)),
    trans.__('%1 executed', thousands(plan.executed))
  ];
  if (plan.depending > 0) {
    parts.push(trans.__('%1 by their arguments', thousands(plan.depending)));
  }
  if (plan.saved >= LEAST_SAVED) {
    parts.push(trans.__('saves %1', spoken(plan.saved)));
  }
  for (const { why, count } of plan.marks) {
    parts.push(trans.__('%1 reused though %2', thousands(count), why));
  }
  return parts.join(' · ');
}
