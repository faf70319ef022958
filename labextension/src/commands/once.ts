/**
 * `%durable once` as a command that is on or off.
 *
 * Rules of this file
 * - The kernel knows whether it is on: it is asked, and asked again when it was started anew.
 * - It runs when the kernel is free, as any cell would.
 */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { visible } from '../view/dom';

export const TOGGLE_ONCE = 'durable:toggle-once';

/** What is known of kernels that were asked. */
type Known = WeakMap<Kernel.IKernelConnection, boolean>;

export function addToggleOnce(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  palette: ICommandPalette | null,
  trans: TranslationBundle
): void {
  const known: Known = new WeakMap();
  const kernel = () =>
    tracker.currentWidget?.sessionContext.session?.kernel ?? null;
  const caption = trans.__(
    'Also after a success a cell goes on with its last request, and executes only what changed'
  );
  app.commands.addCommand(TOGGLE_ONCE, {
    label: trans.__('Reuse Checkpoints After Success'),
    caption: () =>
      kernel() === null
        ? trans.__('No kernel: start one to do this.')
        : caption,
    usage: caption,
    describedBy: { args: { type: 'object', properties: {} } },
    isToggleable: true,
    isToggled: () => {
      const now = kernel();
      return now !== null && known.get(now) === true;
    },
    isEnabled: () => kernel() !== null,
    execute: async () => {
      const now = kernel();
      if (now !== null) {
        await toggle(now, known, trans);
        app.commands.notifyCommandChanged(TOGGLE_ONCE);
      }
    }
  });
  palette?.addItem({ command: TOGGLE_ONCE, category: trans.__('Durable') });
}

async function toggle(
  kernel: Kernel.IKernelConnection,
  known: Known,
  trans: TranslationBundle
): Promise<void> {
  const before = await said(kernel, '%durable once');
  if (before.error) {
    Notification.error(
      trans.__(
        '%1. Has the kernel loaded the extension? %load_ext jupyter_durable',
        visible(before.text)
      ),
      { autoClose: false }
    );
    return;
  }
  const on = !before.text.startsWith('once is on');
  const after = await said(kernel, `%durable once ${on ? 'on' : 'off'}`);
  known.set(kernel, on);
  kernel.statusChanged.connect((_, status) => {
    if (['starting', 'restarting', 'autorestarting', 'dead'].includes(status)) {
      known.delete(kernel);
    }
  });
  Notification.info(visible(after.text), { autoClose: 5000 });
}

/** What a line prints. */
async function said(
  kernel: Kernel.IKernelConnection,
  code: string
): Promise<{ text: string; error: boolean }> {
  const future = kernel.requestExecute({ code, store_history: false });
  let text = '';
  future.onIOPub = message => {
    if (KernelMessage.isStreamMsg(message)) {
      text += message.content.text;
    }
  };
  const reply = await future.done;
  const { content } = reply;
  return content.status === 'error'
    ? { text: content.evalue, error: true }
    : { text: text.trim(), error: false };
}
