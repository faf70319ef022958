/**
 * The request a command is for.
 *
 * Rules of this file
 * - Found anew each time; whoever gets a target releases it. What waits for the kernel goes on waiting.
 */

import { CodeCell } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator } from '@jupyterlab/translation';
import { ownedRequest } from '../marks/model';
import { askingOf } from '../notebook/asking';
import { NotebookControls } from '../notebook/notebook';
import { IRequest } from '../protocol/protocol';

export interface ITarget {
  panel: NotebookPanel;
  cell: CodeCell;
  controls: NotebookControls;
  request: IRequest;
  /** The status of now. */
  status: string;
  /** What every message about it says. */
  content: { request: string; display: string };
  /** Listen to its kernel no more. */
  release(): void;
}

/** The request with that id in an open notebook; without an id, that of the active cell. */
export function targetOf(
  tracker: INotebookTracker,
  translator: ITranslator,
  id: string | null
): ITarget | null {
  if (id === null) {
    const panel = tracker.currentWidget;
    const cell = panel?.content.activeCell ?? null;
    return panel !== null && cell instanceof CodeCell
      ? targetIn(panel, cell, translator)
      : null;
  }
  let found: ITarget | null = null;
  tracker.forEach(panel => {
    const cells = panel.content.widgets.filter(
      (cell): cell is CodeCell =>
        cell instanceof CodeCell &&
        ownedRequest(cell.model.outputs, askingOf(panel, translator).placed)
          ?.id === id
    );
    if (found === null && cells.length > 0) {
      found = targetIn(panel, cells[cells.length - 1], translator);
    }
  });
  return found;
}

function targetIn(
  panel: NotebookPanel,
  cell: CodeCell,
  translator: ITranslator
): ITarget | null {
  const { placed, lives } = askingOf(panel, translator);
  const owned = ownedRequest(cell.model.outputs, placed);
  const live = owned === null ? null : lives.of(owned.id);
  const known = live?.snapshot ?? owned?.head ?? null;
  if (owned === null || live === null || known === null) {
    return null;
  }
  const node = cell.outputArea.node;
  const controls = new NotebookControls(panel, node, translator);
  const { id } = owned;
  const { request, display } = known;
  controls.about(id, cell.model.trusted);
  return {
    panel,
    cell,
    controls,
    request,
    status: live.snapshot === null ? request.status : live.status,
    content: { request: id, display },
    release: () => controls.dispose()
  };
}
