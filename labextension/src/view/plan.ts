/**
 * What a replay would do, as a table.
 *
 * Rules of this file
 * - The kernel decides what would be done; here it is only shown.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { readPreviewRows } from '../protocol/answers';
import { spoken } from '../model/counting';
import { element, visible } from './dom';
import { fields, number } from '../protocol/read';
import { thousands } from './words';

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

/** The answer to `preview`. */
export function planTable(
  reply: unknown,
  trans: TranslationBundle
): HTMLElement {
  const rows = readPreviewRows(reply).map(row => [
    row.call,
    row.action,
    row.why,
    row.saved ? spoken(row.saved) : ''
  ]);
  const columns = [
    trans.__('Call'),
    trans.__('A replay would'),
    trans.__('Why'),
    trans.__('Saves')
  ];
  const { more, saved } = fields(reply);
  const parts = [];
  if (number(more) > 0) {
    parts.push(trans.__('and %1 more', thousands(number(more))));
  }
  if (number(saved) >= 0.05) {
    parts.push(trans.__('saves %1 in all', spoken(number(saved))));
  }
  return element('div', 'scroll', [
    table(columns, rows),
    element('div', 'quiet', parts.join(' · '))
  ]);
}
