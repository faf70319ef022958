/**
 * The control channel of a kernel: it is heard while a cell runs.
 *
 * Rules of this file
 * - Never a comm: its messages wait until the running cell has ended.
 * - Nothing of JupyterLab is imported: whatever front end has such a channel will do.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { REQUEST_TYPE } from '../protocol/protocol';

const ANSWER_MILLISECONDS = 10000;

/** What is used of a kernel connection. */
export interface IControlKernel {
  readonly clientId: string;
  readonly username: string;
  readonly status: string;
  readonly connectionStatus: string;
  sendControlMessage(
    message: unknown,
    expectReply: boolean,
    disposeOnDone: boolean
  ): { done: Promise<unknown> };
}

/** Ask the extension in a kernel. Rejects with an `Error` whose message can be shown. */
export function askKernel(
  kernel: IControlKernel,
  content: Record<string, unknown>,
  trans: TranslationBundle
): Promise<unknown> {
  const silence = trans.__(
    'The kernel does not answer. Has it loaded the extension? %load_ext jupyter_durable'
  );
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(
      () => reject(new Error(silence)),
      ANSWER_MILLISECONDS
    );
    answer(kernel, content)
      .then(resolve, reject)
      .finally(() => window.clearTimeout(timer));
  });
}

async function answer(
  kernel: IControlKernel,
  content: Record<string, unknown>
): Promise<unknown> {
  const message = {
    header: {
      date: new Date().toISOString(),
      msg_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
      msg_type: REQUEST_TYPE,
      session: kernel.clientId,
      username: kernel.username,
      version: '5.4'
    },
    parent_header: {},
    metadata: {},
    content,
    channel: 'control',
    buffers: []
  };
  const reply = (await kernel.sendControlMessage(message, true, true).done) as {
    content: { status?: string; message?: string; reply?: unknown };
  };
  if (reply.content.status !== 'ok') {
    throw new Error(String(reply.content.message ?? 'error'));
  }
  return reply.content.reply;
}
