/**
 * What waits for the kernel of a notebook: one thing for each cell, whoever was asked for it.
 *
 * Rules of this file
 * - The mark of a cell, the views in its output and commands share its turn: pressed twice, it executes once.
 */

import { CodeCell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { AttachedProperty } from '@lumino/properties';
import { Turn } from '../requests/turn';

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
    return (
      this._panel.sessionContext.session?.kernel?.status === 'busy' ||
      this._panel.content.widgets.some(
        cell =>
          cell instanceof CodeCell && cell.model.executionState === 'running'
      )
    );
  }

  private _panel: NotebookPanel;
  private _turns = new WeakMap<CodeCell, Turn>();
  private _listeners = new Set<() => void>();
}

const property = new AttachedProperty<NotebookPanel, Turns>({
  name: 'durableTurns',
  create: panel => new Turns(panel)
});

/** The turns of the cells of a notebook. */
export function turnsOf(panel: NotebookPanel): Turns {
  return property.get(panel);
}
