/**
 * The extension in kernels: whether it is there, and loading it where the user asked for something that needs it.
 *
 * Rules of this file
 * - What only looks loads nothing: no code runs because a notebook was opened.
 * - A kernel that was restarted is bare until something says otherwise.
 */

import { Kernel } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { IControlKernel, whoIsHere } from './channel';
import { IServer } from './server';
import { Verb } from '../view/controls';

/** What loads the extension. A text of its own, lest a front end take the line for a magic of this file. */
export const LOADING = ['%load_ext', 'jupyter_durable'].join(' ');

const ACTING: readonly Verb[] = ['replay', 'fork', 'resume'];

/** Whether a kernel is given the extension for `verb`: it was pressed, and looking is not enough. */
export function needsExtension(verb: Verb): boolean {
  return ACTING.includes(verb);
}

const NOT_INSTALLED = /^ModuleNotFoundError$/;

/** Load the extension where it is not, with the store that holds `request`. Rejects with what to do. */
export async function load(
  kernel: Kernel.IKernelConnection,
  request: string,
  server: IServer | null,
  trans: TranslationBundle
): Promise<void> {
  if ((await whoIsHere(kernel as unknown as IControlKernel)) !== null) {
    return;
  }
  const lines = [LOADING, ...(await storing(request, server))];
  const { content } = await kernel.requestExecute({
    code: lines.join('\n'),
    store_history: false,
    allow_stdin: false
  }).done;
  if (content.status === 'error') {
    const said = `${content.ename}: ${content.evalue}`;
    throw new Error(
      NOT_INSTALLED.test(content.ename)
        ? trans.__(
            '%1. Install jupyter-durable where this kernel runs: %pip install jupyter-durable',
            said
          )
        : said
    );
  }
}

/** The line that opens the store of a request where it is not the one that a kernel opens by itself. */
async function storing(
  request: string,
  server: IServer | null
): Promise<string[]> {
  const path = `requests/any/${encodeURIComponent(request)}/info`;
  const told = (await server?.get(path).catch(() => null)) as {
    store_url?: string;
  } | null;
  return told?.store_url ? [`%durable store ${told.store_url}`] : [];
}
