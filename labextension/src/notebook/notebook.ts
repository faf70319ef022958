/**
 * Controls of a view that stands in a notebook.
 *
 * Rules of this file
 * - The control channel only: comms and the shell channel wait until the running cell has ended.
 * - In a notebook that is not trusted nothing is asked of a kernel, nor of the server.
 * - What waits for the kernel waits in the cell's turn, so that it can be withdrawn from wherever it is shown.
 */

import { CodeCell } from '@jupyterlab/cells';
import { Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { askKernel, IControlKernel } from '../requests/channel';
import { IControls, Verb } from '../view/controls';
import { IServer, queryOf } from '../requests/server';
import { Turn } from '../requests/turn';
import { Turns, turnsOf } from './turns';

/** What the store says by itself, where there is no kernel. */
const STORED: readonly string[] = ['snapshot', 'page', 'detail'];

export class NotebookControls implements IControls {
  constructor(
    panel: NotebookPanel,
    node: HTMLElement,
    translator: ITranslator
  ) {
    this._panel = panel;
    this._node = node;
    this._translator = translator;
    this._trans = translator.load('jupyter_durable');
    this._turns = turnsOf(panel);
    this._alone = this._turns.alone();
    this._unfollow = this._turns.onChange(() => this.changed());
    const context = panel.sessionContext;
    context.statusChanged.connect(this._onStatus, this);
    context.kernelChanged.connect(this._onKernel, this);
    NotebookActions.executed.connect(this._onExecuted, this);
  }

  /** Whether the output that shows the view is trusted. */
  trusted = true;

  /** Who answers for the store where there is no kernel. */
  server: IServer | null = null;

  changed: () => void = () => undefined;

  ran: (another: boolean) => void = () => undefined;

  get hasCell(): boolean {
    return this._cell() !== null;
  }

  get turn(): Turn {
    const cell = this._cell();
    return cell === null ? this._alone : this._turns.of(cell);
  }

  refusal(verb: Verb): string | null {
    if (!this.trusted) {
      return this._trans.__('This notebook is not trusted.');
    }
    const kernel = this._kernel();
    if (kernel === null && this.server !== null && STORED.includes(verb)) {
      return null;
    }
    if (kernel === null) {
      return this._trans.__('No kernel: start one to do this.');
    }
    if (kernel.connectionStatus !== 'connected') {
      return this._trans.__('The kernel is not connected.');
    }
    if (verb === 'debug' && !this.hasCell) {
      return this._trans.__('Only in a notebook.');
    }
    return null;
  }

  ask(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    const refusal = this.refusal(verb);
    const kernel = this._kernel();
    if (refusal !== null) {
      return Promise.reject(new Error(refusal));
    }
    if (kernel === null) {
      return this._read(verb, content);
    }
    const channel = kernel as unknown as IControlKernel;
    return askKernel(channel, { op: verb, ...content }, this._trans);
  }

  runCell(): void {
    this.turn.whenFree(() => {
      const cell = this._cell();
      if (cell !== null) {
        void NotebookActions.runCells(
          this._panel.content,
          [cell],
          this._panel.sessionContext,
          undefined,
          this._translator
        );
      }
    });
  }

  runBelow(source: string): void {
    const cell = this._cell();
    if (cell === null) {
      return;
    }
    const notebook = this._panel.content;
    notebook.activeCellIndex = notebook.widgets.indexOf(cell);
    NotebookActions.insertBelow(notebook);
    notebook.activeCell?.model.sharedModel.setSource(source);
    void NotebookActions.run(notebook, this._panel.sessionContext);
  }

  dispose(): void {
    this._unfollow();
    this._alone.withdraw();
    const context = this._panel.sessionContext;
    context.statusChanged.disconnect(this._onStatus, this);
    context.kernelChanged.disconnect(this._onKernel, this);
    NotebookActions.executed.disconnect(this._onExecuted, this);
  }

  private async _read(
    verb: Verb,
    content: Record<string, unknown>
  ): Promise<unknown> {
    const id = encodeURIComponent(String(content.request));
    return this.server?.get(`requests/any/${id}/${verb}`, queryOf(content));
  }

  private _onStatus(): void {
    const status = this._kernel()?.status;
    if (status === 'restarting' || status === 'autorestarting') {
      this.ran(true);
    }
    this.turn.look();
    this.changed();
  }

  private _onKernel(): void {
    this._onStatus();
    this.ran(true);
  }

  private _onExecuted(_: unknown, what: { notebook: Notebook }): void {
    if (what.notebook === this._panel.content) {
      this.ran(false);
    }
  }

  private _kernel(): Kernel.IKernelConnection | null {
    return this._panel.sessionContext.session?.kernel ?? null;
  }

  private _cell(): CodeCell | null {
    for (const cell of this._panel.content.widgets) {
      if (
        cell instanceof CodeCell &&
        cell.outputArea.node.contains(this._node)
      ) {
        return cell;
      }
    }
    return null;
  }

  private _panel: NotebookPanel;
  private _node: HTMLElement;
  private _translator: ITranslator;
  private _trans: TranslationBundle;
  private _turns: Turns;
  private _alone: Turn;
  private _unfollow: () => void;
}
