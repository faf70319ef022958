/**
 * Rows that stand for calls that are not here.
 *
 * Rules of this file
 * - Made anew only when they say something else. Where nobody can be asked for the calls, they say so.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { allow, button, element } from './dom';
import { Model, PAGE } from '../model/model';
import { IRow } from '../model/rows';
import { thousands } from './words';

export function updatePager(
  item: HTMLElement,
  row: IRow,
  model: Model,
  trans: TranslationBundle
): void {
  const refusal = model.noPages;
  const state = JSON.stringify([row.type, row.offset, row.total, refusal]);
  if (item.dataset.state === state) {
    return;
  }
  item.dataset.state = state;
  const line = element('div', 'more', parts(row, model, trans));
  line.style.setProperty('--jp-durable-depth', String(row.depth));
  item.replaceChildren(line);
}

function parts(
  row: IRow,
  model: Model,
  trans: TranslationBundle
): HTMLElement[] {
  const words = (text: string) => [element('span', '', text)];
  const turn = (label: string, to: number, end: boolean) => {
    const made = button(label, 'link', () => {
      if (!end && model.noPages === null) {
        model.turn(row, to);
      }
    });
    allow(made, end ? trans.__('There are no more.') : model.noPages, '');
    return made;
  };
  if (row.type === 'none') {
    return words(trans.__('not in this view'));
  }
  if (row.total < 0) {
    return words(trans.__('More rows are open than can be shown.'));
  }
  const total = thousands(row.total);
  if (row.type === 'rest') {
    const said = trans.__('%1 more of %2', thousands(row.offset), total);
    return [...words(said), turn(trans.__('Show all'), 0, false)];
  }
  const last = Math.min(row.offset + PAGE, row.total);
  const [first, end] = [thousands(row.offset + 1), thousands(last)];
  return [
    turn(trans.__('‹ Previous'), row.offset - PAGE, row.offset === 0),
    ...words(trans.__('%1–%2 of %3', first, end, total)),
    turn(trans.__('Next ›'), row.offset + PAGE, last >= row.total)
  ];
}
