/**
 * Whom the views, marks and commands of one notebook ask: its kernel, and the server for what is stored.
 *
 * Rules of this file
 * - The control channel only: comms and the shell channel wait until the running cell has ended.
 * - What is stored is asked of the kernel while it answers, else of the server: kernels die, or are restarted bare.
 * - A notebook that is not trusted is not believed. The store is: a request that it says is of this notebook is the
 *   user's own, whoever wrote its output into the file.
 */

import { NotebookPanel } from '@jupyterlab/notebook';
import { Kernel, ServerConnection } from '@jupyterlab/services';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { AttachedProperty } from '@lumino/properties';
import { ISignal, Signal } from '@lumino/signaling';
import { askKernel, IControlKernel, Refused } from '../requests/channel';
import { IWitness, Lives } from '../requests/live';
import { IListed, readListed } from '../requests/requests';
import { IServer, queryOf, Server } from '../requests/server';
import { Verb } from '../view/controls';

/** What the store says by itself, where there is no kernel. */
const STORED: readonly string[] = ['snapshot', 'page', 'detail', 'preview'];
/** So long a kernel may be held up before the store is asked in its place. */
const HELD_UP_MILLISECONDS = 3000;
const ALIVE: readonly string[] = ['idle', 'busy'];
const ID = /^req_[0-9a-f]+$/;

export class Asking implements IWitness {
  constructor(panel: NotebookPanel, translator: ITranslator) {
    this._panel = panel;
    this._trans = translator.load('jupyter_durable');
    const { serverSettings } = panel.sessionContext.sessionManager;
    this.server = new Server(
      serverSettings ?? ServerConnection.makeSettings(),
      this._trans
    );
    panel.sessionContext.statusChanged.connect(this._onStatus, this);
    panel.sessionContext.kernelChanged.connect(this.ran, this);
  }

  /** Who answers for the store. */
  readonly server: IServer;

  /** The requests that the notebook shows. */
  readonly lives = new Lives(this);

  /** Requests at places that no output fills, by the names of the places. */
  readonly placed = new Map<string, string>();

  get kernel(): Kernel.IKernelConnection | null {
    return this._panel.sessionContext.session?.kernel ?? null;
  }

  /** An output that Jupyter trusts shows a request. */
  believe(request: string): void {
    this._believed.add(request);
  }

  /** Whether there is a kernel that could answer. */
  get alive(): boolean {
    const { kernel } = this;
    return kernel !== null && this._answers(kernel);
  }

  /** Why nothing is done on the word of the output that shows a request; null where that is trusted. */
  doubt(request: string): string | null {
    return this._believed.has(request)
      ? null
      : this._trans.__('This notebook is not trusted.');
  }

  /** Why `verb` cannot be asked now; null when it can. */
  refusal(verb: Verb = 'snapshot'): string | null {
    if (STORED.includes(verb)) {
      return null;
    }
    if (this.kernel === null) {
      return this._trans.__('No kernel: start one to do this.');
    }
    return this.kernel.connectionStatus === 'connected'
      ? null
      : this._trans.__('The kernel is not connected.');
  }

  /** The state of a request now, for all that show it. */
  async ask(id: string): Promise<unknown> {
    if (!this._believed.has(id) && (await this._isOwn(id))) {
      this.believe(id);
    }
    const doubt = this.doubt(id);
    if (doubt !== null) {
      throw new Error(doubt);
    }
    return this.about('snapshot', { request: id });
  }

  /** Ask about a request. Rejects with an `Error` whose message can be shown. */
  async about(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    const { kernel } = this;
    if (!STORED.includes(verb)) {
      if (kernel === null) {
        throw new Error(this.refusal(verb) ?? '');
      }
      return this._askKernel(kernel, verb, content);
    }
    if (kernel === null || !this._answers(kernel)) {
      return this._read(verb, content);
    }
    try {
      const patience = HELD_UP_MILLISECONDS;
      return await this._askKernel(kernel, verb, content, patience);
    } catch (error) {
      const refused = error instanceof Refused;
      this._silent = refused ? this._silent : kernel;
      return this._read(verb, content).catch(other => {
        throw refused ? error : other;
      });
    }
  }

  /** The newest requests of a cell of this notebook, by what the store finds them by. */
  async requestsOf(cell: string): Promise<IListed[]> {
    const told = await this.server.get('requests', { text: cell, limit: 20 });
    const { requests } = (told ?? {}) as { requests?: unknown };
    return readListed(requests).filter(
      one => one.cell === cell && one.path === this._panel.context.localPath
    );
  }

  /** It is known which request is shown at a place. */
  fill(place: string, request: string): void {
    this.placed.set(place, request);
    this._filled.emit();
  }

  /** A place was filled. */
  get filled(): ISignal<this, void> {
    return this._filled;
  }

  /** Code has run, or it is another kernel: it may answer now. */
  ran(): void {
    this._silent = null;
  }

  private _answers(kernel: Kernel.IKernelConnection): boolean {
    return (
      kernel !== this._silent &&
      kernel.connectionStatus === 'connected' &&
      ALIVE.includes(kernel.status)
    );
  }

  /** One that was restarted is bare until code has run, or until the page has loaded the extension. */
  private _onStatus(): void {
    const { kernel } = this;
    if (kernel !== null && !ALIVE.includes(kernel.status)) {
      this._silent = null;
    }
  }

  private _askKernel(
    kernel: Kernel.IKernelConnection,
    verb: Verb,
    content: Record<string, unknown>,
    patience?: number
  ): Promise<unknown> {
    const channel = kernel as unknown as IControlKernel;
    return askKernel(channel, { op: verb, ...content }, this._trans, patience);
  }

  private async _read(
    verb: Verb,
    content: Record<string, unknown>
  ): Promise<unknown> {
    const id = encodeURIComponent(String(content.request));
    return this.server.get(`requests/any/${id}/${verb}`, queryOf(content));
  }

  /** Whether the store says that a request is of this notebook. */
  private async _isOwn(request: string): Promise<boolean> {
    if (!ID.test(request)) {
      return false;
    }
    const told = await this.server.get(`requests/any/${request}/info`);
    const { path } = (told ?? {}) as { path?: unknown };
    return path === this._panel.context.localPath;
  }

  private _panel: NotebookPanel;
  private _trans: TranslationBundle;
  private _believed = new Set<string>();
  private _filled = new Signal<this, void>(this);
  private _silent: Kernel.IKernelConnection | null = null;
}

const property = new AttachedProperty<NotebookPanel, Asking | null>({
  name: 'durableAsking',
  create: () => null
});

/** Whom the parts of a notebook ask. */
export function askingOf(
  panel: NotebookPanel,
  translator: ITranslator
): Asking {
  const known = property.get(panel);
  const asking = known ?? new Asking(panel, translator);
  property.set(panel, asking);
  return asking;
}
