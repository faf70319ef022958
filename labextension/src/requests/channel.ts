/**
 * The control channel of a kernel: it is heard while a cell runs.
 *
 * Rules of this file
 * - Never a comm: its messages wait until the running cell has ended.
 * - Nothing of JupyterLab is imported: whatever front end has such a channel will do.
 * - What the kernel refuses is a `Refused`; any other failure means that nobody has heard.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { REQUEST_TYPE } from '../protocol/protocol';
import { fields } from '../protocol/read';

const ANSWER_MILLISECONDS = 10000;
const HERE_MILLISECONDS = 3000;
/** What the control channel has heard is answered before its status `idle`; these two may change places on their way. */
const AFTER_IDLE_MILLISECONDS = 500;

/** What is used of a message that was sent. */
export interface IControlFuture {
  readonly done: Promise<unknown>;
  onIOPub?: unknown;
}

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
  ): IControlFuture;
}

/** The extension has heard and says why not. */
export class Refused extends Error {}

/** Ask the extension in a kernel. Rejects with an `Error` whose message can be shown. */
export function askKernel(
  kernel: IControlKernel,
  content: Record<string, unknown>,
  trans: TranslationBundle,
  milliseconds = ANSWER_MILLISECONDS
): Promise<unknown> {
  const silence = trans.__(
    'The kernel does not answer. Has it loaded the extension? %load_ext jupyter_durable'
  );
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(
      () => reject(new Error(silence)),
      milliseconds
    );
    answered(sent(kernel, content))
      .then(resolve, reject)
      .finally(() => window.clearTimeout(timer));
  });
}

/** What the extension says of itself in a kernel. */
export interface IHere {
  /** Whether a cell executes. */
  executing: boolean;
}

/** The extension in a kernel; null where it is not loaded. A kernel that is held up is taken for one without it. */
export function whoIsHere(kernel: IControlKernel): Promise<IHere | null> {
  return new Promise(resolve => {
    const later = (milliseconds: number) =>
      window.setTimeout(() => resolve(null), milliseconds);
    const timer = later(HERE_MILLISECONDS);
    const future = sent(kernel, { op: 'here' });
    future.onIOPub = (message: unknown) => {
      const { content } = message as { content?: { execution_state?: string } };
      if (content?.execution_state === 'idle') {
        later(AFTER_IDLE_MILLISECONDS);
      }
    };
    answered(future)
      .then(
        reply => resolve({ executing: fields(reply).executing === true }),
        error => resolve(error instanceof Refused ? { executing: false } : null)
      )
      .finally(() => window.clearTimeout(timer));
  });
}

function sent(
  kernel: IControlKernel,
  content: Record<string, unknown>
): IControlFuture {
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
  return kernel.sendControlMessage(message, true, true);
}

async function answered(future: IControlFuture): Promise<unknown> {
  const reply = (await future.done) as {
    content: { status?: string; message?: string; reply?: unknown };
  };
  if (reply.content.status !== 'ok') {
    throw new Refused(String(reply.content.message ?? 'error'));
  }
  return reply.content.reply;
}
