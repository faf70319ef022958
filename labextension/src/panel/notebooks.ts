/**
 * Notebooks and kernels that requests belong to.
 *
 * Rules of this file
 * - A kernel that lives is used, also when its notebook is not open in this page; none is started here but in `open`
 *   and `start`, which the user asked for.
 * - In Notebook 7 every notebook has a page of its own: none opens in this one, and it is not waited for.
 */

import { JupyterFrontEnd } from '@jupyterlab/application';
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
import { Resuming } from '../notebook/resuming';
import { MIME_TYPE, readSnapshot } from '../protocol/protocol';
import { IListed } from '../requests/requests';
import { IPlaces } from './places';

export class Notebooks {
  constructor(app: JupyterFrontEnd, places: IPlaces, translator: ITranslator) {
    this._shell = app.shell;
    this._services = app.serviceManager;
    this._opensHere = places.lab !== null;
    this._documents = places.documents;
    this._tracker = places.notebooks;
    this._translator = translator;
    this._services.sessions.runningChanged.connect(this._onSessions, this);
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

  /** Execute the cell that owns it, so that it goes on with it. Rejects with an `Error` whose message can be shown. */
  async resume(one: IListed): Promise<void> {
    const panel = this.panelOf(one);
    const cell = this.cellOf(one);
    if (panel !== null && cell !== null) {
      await new Resuming(panel, this._translator).resume(cell, one.id);
    }
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

  /** Whether its notebook is open in this page, or can be. */
  shows(one: IListed): boolean {
    return this._opensHere || this.panelOf(one) !== null;
  }

  /** Open the notebook; null where it opens elsewhere, as in Notebook 7. */
  async open(one: IListed): Promise<NotebookPanel | null> {
    const known = this.panelOf(one);
    if (known !== null) {
      this._shell.activateById(known.id);
    }
    const panel = known ?? this._documents?.openOrReveal(one.path ?? '');
    if (!this.shows(one) || !(panel instanceof NotebookPanel)) {
      return null;
    }
    await panel.revealed;
    await panel.context.ready;
    return panel;
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

  /** Start a kernel for the notebook, which opens where it can. */
  async start(one: IListed): Promise<Kernel.IKernelConnection> {
    const trans = this._translator.load('jupyter_durable');
    const panel = this.shows(one) ? await this.open(one) : null;
    await (panel === null ? this._startApart(one) : begin(panel));
    const kernel = this.kernelOf(one);
    if (kernel === null) {
      throw new Error(
        trans.__('The notebook has no kernel: choose one, and try again.')
      );
    }
    return kernel;
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

  /** A kernel for a notebook that no page has open: it is there when one opens it. */
  private async _startApart(one: IListed): Promise<void> {
    const path = one.path ?? '';
    const { contents, kernelspecs, sessions } = this._services;
    const file = await contents.get(path, { type: 'notebook', content: true });
    await kernelspecs.ready;
    const name = kernelName(file.content) ?? kernelspecs.specs?.default;
    const session = await sessions.startNew({
      path,
      name: file.name,
      type: 'notebook',
      kernel: { name }
    });
    session.dispose(); // it lives on; this page only knows of it
    await sessions.refreshRunning();
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

  private _shell: JupyterFrontEnd.IShell;
  private _opensHere: boolean;
  private _services: ServiceManager.IManager;
  private _documents: IDocumentManager | null;
  private _tracker: INotebookTracker | null;
  private _translator: ITranslator;
  private _kernels = new Map<string, Kernel.IKernelConnection>();
  private _changed = new Signal<this, void>(this);
}

/** Start the kernel of an open notebook where it has none. */
async function begin(panel: NotebookPanel): Promise<void> {
  const { sessionContext, model } = panel;
  await sessionContext.ready;
  if (!sessionContext.session?.kernel) {
    const { specs } = sessionContext.specsManager;
    const name = kernelName(model?.toJSON()) ?? specs?.default;
    await sessionContext.changeKernel({ name });
  }
}

/** The kernel that a notebook names. */
function kernelName(notebook: unknown): string | undefined {
  const { metadata } = (notebook ?? {}) as {
    metadata?: { kernelspec?: { name?: string } };
  };
  return metadata?.kernelspec?.name;
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
