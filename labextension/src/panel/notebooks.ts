/**
 * Notebooks and kernels that requests belong to.
 *
 * Rules of this file
 * - A kernel that lives is used, also when its notebook is not open in this page; none is started here but in `open`,
 *   which the user asked for.
 */

import { CodeCell } from '@jupyterlab/cells';
import { IDocumentManager } from '@jupyterlab/docmanager';
import {
  INotebookTracker,
  NotebookActions,
  NotebookPanel
} from '@jupyterlab/notebook';
import { Kernel, ServiceManager, Session } from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';
import { ISignal, Signal } from '@lumino/signaling';
import { MIME_TYPE, readSnapshot } from '../protocol/protocol';
import { IListed } from '../requests/requests';

export class Notebooks {
  constructor(
    services: ServiceManager.IManager,
    documents: IDocumentManager | null,
    tracker: INotebookTracker | null,
    translator: ITranslator
  ) {
    this._services = services;
    this._documents = documents;
    this._tracker = tracker;
    this._translator = translator;
    services.sessions.runningChanged.connect(this._onSessions, this);
  }

  /** Kernels have come or gone. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The notebook of a request, when it is open in this page. */
  panelOf(one: IListed): NotebookPanel | null {
    return (
      this._tracker?.find(panel => panel.context.path === one.path) ?? null
    );
  }

  /** The kernel of its notebook, when one lives. */
  kernelOf(one: IListed): Kernel.IKernelConnection | null {
    const open = this.panelOf(one)?.sessionContext.session?.kernel;
    if (open) {
      return open;
    }
    const session = this._session(one);
    if (session === null || session.kernel === null) {
      return null;
    }
    const { id } = session.kernel;
    const known = this._kernels.get(id);
    if (known && !known.isDisposed) {
      return known;
    }
    const made = this._services.kernels.connectTo({
      model: session.kernel,
      handleComms: false
    });
    this._kernels.set(id, made);
    made.statusChanged.connect(() => this._changed.emit());
    made.connectionStatusChanged.connect(() => this._changed.emit());
    return made;
  }

  /** Whether a kernel of its notebook lives. */
  alive(one: IListed): boolean {
    return (
      Boolean(this.panelOf(one)?.sessionContext.session?.kernel) ||
      this._session(one) !== null
    );
  }

  /** The cell that owns it, in a notebook that is open in this page. */
  cellOf(one: IListed): CodeCell | null {
    const panel = this.panelOf(one);
    return panel === null ? null : owner(panel, one);
  }

  /** Execute the cell that owns it. */
  runCell(one: IListed): void {
    const panel = this.panelOf(one);
    const cell = this.cellOf(one);
    if (panel !== null && cell !== null) {
      const { content, sessionContext } = panel;
      void NotebookActions.runCells(
        content,
        [cell],
        sessionContext,
        undefined,
        this._translator
      );
    }
  }

  /** Open a cell with `source` under the one that owns it, and execute it. */
  async runBelow(one: IListed, source: string): Promise<void> {
    if (await this.goTo(one)) {
      const panel = this.panelOf(one);
      if (panel !== null) {
        NotebookActions.insertBelow(panel.content);
        panel.content.activeCell?.model.sharedModel.setSource(source);
        await NotebookActions.run(panel.content, panel.sessionContext);
      }
    }
  }

  /** Open the notebook; null where it opens elsewhere, as in Notebook 7. */
  async open(one: IListed): Promise<NotebookPanel | null> {
    const known = this.panelOf(one);
    const found =
      known ?? this._documents?.openOrReveal(one.path ?? '') ?? null;
    if (!(found instanceof NotebookPanel)) {
      return null;
    }
    this._documents?.openOrReveal(one.path ?? '');
    await found.revealed;
    await found.context.ready;
    return found;
  }

  /** Open the notebook, and show the cell; whether it is there. */
  async goTo(one: IListed): Promise<boolean> {
    const panel = await this.open(one);
    const cell = panel === null ? null : owner(panel, one);
    if (panel === null || cell === null) {
      return panel === null;
    }
    const notebook = panel.content;
    const index = notebook.widgets.indexOf(cell);
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    await notebook.scrollToItem(index, 'center');
    return true;
  }

  /** Execute `source` in the kernel of the notebook, which opens, and starts one where none runs. */
  async execute(one: IListed, source: string): Promise<void> {
    const panel = await this.open(one);
    if (panel === null) {
      return;
    }
    const trans = this._translator.load('jupyter_durable');
    await panel.sessionContext.ready;
    const kernel = panel.sessionContext.session?.kernel;
    if (!kernel) {
      throw new Error(
        trans.__('The notebook has no kernel: choose one, and try again.')
      );
    }
    const future = kernel.requestExecute({
      code: source,
      store_history: false
    });
    const { content } = await future.done;
    if (content.status === 'error') {
      throw new Error(`${content.ename}: ${content.evalue}`);
    }
  }

  dispose(): void {
    this._services.sessions.runningChanged.disconnect(this._onSessions, this);
    for (const kernel of this._kernels.values()) {
      kernel.dispose();
    }
    Signal.clearData(this);
  }

  private _session(one: IListed): Session.IModel | null {
    for (const session of this._services.sessions.running()) {
      if (one.path !== null && session.path === one.path && session.kernel) {
        return session;
      }
    }
    return null;
  }

  private _onSessions(): void {
    const alive = new Set<string | undefined>();
    for (const session of this._services.sessions.running()) {
      alive.add(session.kernel?.id);
    }
    for (const [id, kernel] of this._kernels) {
      if (!alive.has(id)) {
        this._kernels.delete(id);
        kernel.dispose();
      }
    }
    this._changed.emit();
  }

  private _services: ServiceManager.IManager;
  private _documents: IDocumentManager | null;
  private _tracker: INotebookTracker | null;
  private _translator: ITranslator;
  private _kernels = new Map<string, Kernel.IKernelConnection>();
  private _changed = new Signal<this, void>(this);
}

/** The cell that shows the request; else the one that it was made by, by its id or its name. */
function owner(panel: NotebookPanel, one: IListed): CodeCell | null {
  const cells = panel.content.widgets.filter(
    (cell): cell is CodeCell => cell instanceof CodeCell
  );
  const [kind, ...rest] = (one.cell ?? '').split(':');
  const named = rest.join(':');
  return (
    cells.find(cell => kind === 'cell' && cell.model.id === named) ??
    cells.find(cell => shows(cell, one.id)) ??
    cells.find(cell => kind === 'name' && isNamed(cell, named)) ??
    null
  );
}

function shows(cell: CodeCell, id: string): boolean {
  const { outputs } = cell.model;
  for (let at = 0; at < outputs.length; at += 1) {
    const snapshot = readSnapshot(outputs.get(at).data[MIME_TYPE]);
    if (snapshot?.request.id === id) {
      return true;
    }
  }
  return false;
}

function isNamed(cell: CodeCell, name: string): boolean {
  const [first] = cell.model.sharedModel.getSource().trimStart().split('\n');
  return first.startsWith('%%durable') && first.split(/\s+/).includes(name);
}
