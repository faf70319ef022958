/**
 * Controls of a view that stands in a notebook.
 *
 * Rules of this file
 * - Nothing is done on the word of an output that is not trusted.
 * - What waits for the kernel waits in the cell's turn, so that it can be withdrawn from wherever it is shown.
 */

import { CodeCell } from '@jupyterlab/cells';
import { Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { needsExtension } from '../requests/extension';
import { Lives } from '../requests/live';
import { IControls, Verb } from '../view/controls';
import { Turn } from '../requests/turn';
import { Asking, askingOf } from './asking';
import { Resuming } from './resuming';
import { Turns, turnsOf } from './turns';

export class NotebookControls implements IControls {
  constructor(
    panel: NotebookPanel,
    node: HTMLElement,
    translator: ITranslator
  ) {
    this._panel = panel;
    this._node = node;
    this._trans = translator.load('jupyter_durable');
    this._asking = askingOf(panel, translator);
    this._resuming = new Resuming(panel, translator);
    this._turns = turnsOf(panel);
    this._alone = this._turns.alone();
    this._unfollow = this._turns.onChange(() => this.changed());
    const context = panel.sessionContext;
    context.statusChanged.connect(this._onStatus, this);
    context.kernelChanged.connect(this._onKernel, this);
    NotebookActions.executed.connect(this._onExecuted, this);
  }

  changed: () => void = () => undefined;

  ran: (another: boolean) => void = () => undefined;

  /** Say which request it is about, and whether the output that shows it is trusted. */
  about(request: string, trusted: boolean): void {
    this._request = request;
    if (trusted) {
      this._asking.believe(request);
    }
  }

  get lives(): Lives {
    return this._asking.lives;
  }

  /** The cell in whose outputs it stands. */
  get cell(): CodeCell | null {
    for (const cell of this._panel.content.widgets) {
      if (
        cell instanceof CodeCell &&
        !cell.isDisposed && // of a notebook that is being closed, some are
        cell.outputArea.node.contains(this._node)
      ) {
        return cell;
      }
    }
    return null;
  }

  get hasCell(): boolean {
    return this.cell !== null;
  }

  get turn(): Turn {
    const { cell } = this;
    return cell === null ? this._alone : this._turns.of(cell);
  }

  refusal(verb: Verb): string | null {
    const refusal =
      this._asking.doubt(this._request) ?? this._asking.refusal(verb);
    if (refusal === null && verb === 'debug' && !this.hasCell) {
      return this._trans.__('Only in a notebook.');
    }
    return refusal;
  }

  async ask(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    const refusal = this.refusal(verb);
    if (refusal !== null) {
      throw new Error(refusal);
    }
    if (needsExtension(verb)) {
      await this._resuming.load(this._request);
    }
    return this._asking.about(verb, content);
  }

  async resume(request: string): Promise<void> {
    const cell = this.cell;
    if (cell !== null) {
      await this._resuming.resume(cell, request);
    }
  }

  runCell(): void {
    this.turn.whenFree(() => {
      const cell = this.cell;
      if (cell !== null) {
        void this._resuming.load(this._request).then(
          () => this._resuming.run(cell),
          () => this._resuming.run(cell)
        );
      }
    });
  }

  runBelow(source: string): void {
    const cell = this.cell;
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

  private _onStatus(): void {
    const status = this._asking.kernel?.status;
    const { alive } = this._asking;
    if (status === 'restarting' || status === 'autorestarting') {
      this.ran(true);
    } else if (alive && !this._alive) {
      this.ran(false);
    }
    this._alive = alive;
    this.turn.look();
    this.changed();
  }

  private _onKernel(): void {
    this._onStatus();
    this.ran(true);
  }

  private _onExecuted(_: unknown, what: { notebook: Notebook }): void {
    if (what.notebook === this._panel.content) {
      this._asking.ran();
      this.ran(false);
    }
  }

  private _panel: NotebookPanel;
  private _node: HTMLElement;
  private _trans: TranslationBundle;
  private _asking: Asking;
  private _resuming: Resuming;
  private _request = '';
  private _alive = false;
  private _turns: Turns;
  private _alone: Turn;
  private _unfollow: () => void;
}
