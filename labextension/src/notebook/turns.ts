/**
 * What waits for the kernel of a notebook: one thing for each cell, whoever was asked for it.
 *
 * Rules of this file
 * - The mark of a cell, the views in its output and commands share its turn: pressed twice, it executes once.
 * - What runs is said by whoever executes it: a shared document goes on saying "running" when a page was closed.
 */

import { CodeCell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { AttachedProperty } from '@lumino/properties';
import { IControlKernel, whoIsHere } from '../requests/channel';
import { Turn } from '../requests/turn';

/** So long what the kernel said of itself is taken for true; asking may take as long. */
const SAID_MILLISECONDS = 5000;

export class Turns {
  constructor(panel: NotebookPanel) {
    this._panel = panel;
  }

  /** The turn of a cell. */
  of(cell: CodeCell): Turn {
    let turn = this._turns.get(cell);
    if (turn === undefined) {
      turn = this.alone();
      this._turns.set(cell, turn);
    }
    return turn;
  }

  /** A turn of no cell: of a view whose output is in none. */
  alone(): Turn {
    const turn = new Turn(() => this._busy());
    turn.onChange(() => this._listeners.forEach(listener => listener()));
    return turn;
  }

  /** Call `listener` when any turn changes; until the answer is called. */
  onChange(listener: () => void): () => void {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  /** An answer on the control channel ends with the status `idle`, though a cell may run: cells are asked too. */
  private _busy(): boolean {
    const kernel = this._panel.sessionContext.session?.kernel ?? null;
    if (kernel?.status === 'busy') {
      return true;
    }
    const running = this._panel.content.widgets.filter(
      (cell): cell is CodeCell =>
        cell instanceof CodeCell && cell.model.executionState === 'running'
    );
    if (kernel === null || running.some(isExecutedHere)) {
      return running.length > 0;
    }
    return running.length > 0 && this._isExecuting(kernel);
  }

  /** What the kernel said last; asked again when that was a while ago. */
  private _isExecuting(kernel: Kernel.IKernelConnection): boolean {
    const now = Date.now();
    if (now > this._asked + SAID_MILLISECONDS) {
      this._asked = now;
      this._executing = true;
      void whoIsHere(kernel as unknown as IControlKernel).then(here => {
        this._executing = here?.executing ?? false;
        this._asked = Date.now();
      });
    }
    return this._executing;
  }

  private _panel: NotebookPanel;
  private _asked = 0;
  private _executing = true;
  private _turns = new WeakMap<CodeCell, Turn>();
  private _listeners = new Set<() => void>();
}

/** Whether this page waits for the end of a cell. */
function isExecutedHere(cell: CodeCell): boolean {
  const future: { isDisposed: boolean } | undefined = cell.outputArea.future;
  return future !== undefined && !future.isDisposed;
}

const property = new AttachedProperty<NotebookPanel, Turns>({
  name: 'durableTurns',
  create: panel => new Turns(panel)
});

/** The turns of the cells of a notebook. */
export function turnsOf(panel: NotebookPanel): Turns {
  return property.get(panel);
}
