/**
 * What the user is asked when a cell cannot go on in this kernel.
 *
 * Rules of this file
 * - Foreign text is text.
 */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { element, visible } from '../view/dom';

const MOST_NAMES = 12;

/** How to go on where names are missing; null: not at all. `above`: how many cells stand above. */
export async function askHow(
  missing: string[],
  above: number,
  trans: TranslationBundle
): Promise<'recorded' | 'above' | null> {
  const shown = missing.slice(0, MOST_NAMES).map(line => visible(line));
  if (missing.length > MOST_NAMES) {
    shown.push(trans.__('and %1 more', missing.length - MOST_NAMES));
  }
  const body = element('div', 'dialog', [
    element(
      'p',
      '',
      trans.__('The cell reads what is not defined in this kernel:')
    ),
    element(
      'ul',
      '',
      shown.map(line => element('li', '', withCode(line)))
    )
  ]);
  const recorded = Dialog.createButton({
    label: trans.__('Replay Recorded Code'),
    caption: trans.__(
      'In the kernel, with the code this request ran with; variables of the cell do not arrive'
    )
  });
  const first = Dialog.okButton({
    label: trans.__('Run the Cells Above, Then Resume'),
    caption: trans.__('Those that own requests go on with them')
  });
  const { button } = await showDialog({
    title: trans.__('Resume in a new kernel?'),
    body: new Widget({ node: body }),
    buttons: [Dialog.cancelButton(), recorded, ...(above > 0 ? [first] : [])]
  });
  return button.label === recorded.label
    ? 'recorded'
    : button.accept && above > 0
      ? 'above'
      : null;
}

/** A line whose parts between backticks are code. */
function withCode(line: string): (HTMLElement | string)[] {
  return line
    .split('`')
    .map((part, index) => (index % 2 ? element('code', '', part) : part));
}
