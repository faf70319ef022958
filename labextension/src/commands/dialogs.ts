/**
 * What commands show and ask.
 *
 * Rules of this file
 * - Foreign text is text.
 */

import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { element, visible } from '../view/dom';
import { planTable } from '../view/plan';

/** What a replay would reuse and execute: the answer to `preview`. */
export async function showPreview(
  name: string,
  reply: unknown,
  trans: TranslationBundle
): Promise<void> {
  const body = new Widget({
    node: element('div', 'dialog', [planTable(reply, trans)])
  });
  await showDialog({
    title: trans.__('Replay of %1', visible(name)),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}

/** Another input for an application, as JSON; null when the user wants none. */
export async function askForInput(
  text: string,
  trans: TranslationBundle
): Promise<string | null> {
  const { value } = await InputDialog.getText({
    title: trans.__('Fork With Other Input'),
    label: trans.__('The arguments, as a JSON list'),
    text,
    okLabel: trans.__('Fork')
  });
  return value;
}
