/**
 * What commands show and ask.
 *
 * Rules of this file
 * - Foreign text is text.
 */

import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { spoken } from '../model/calltree';
import { element, visible } from '../view/dom';
import { IPreviewRow } from '../protocol/answers';

/** What a replay would reuse and execute. */
export async function showPreview(
  name: string,
  rows: IPreviewRow[],
  trans: TranslationBundle
): Promise<void> {
  const line = (texts: string[], tag: 'th' | 'td') =>
    element(
      'tr',
      '',
      texts.map(text => element(tag, '', visible(text)))
    );
  const head = [
    trans.__('Call'),
    trans.__('A replay would'),
    trans.__('Why'),
    trans.__('Saves')
  ];
  const table = element('table', 'table', [
    element('thead', '', [line(head, 'th')]),
    element(
      'tbody',
      '',
      rows.map(row =>
        line(
          [row.call, row.action, row.why, row.saved ? spoken(row.saved) : ''],
          'td'
        )
      )
    )
  ]);
  const body = new Widget({ node: element('div', 'dialog', [table]) });
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
