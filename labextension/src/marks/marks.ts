/**
 * Marks on the cells that own a request.
 *
 * Rules of this file
 * - A cell without a request is left alone: no element, no class.
 * - Read from the cell's model, so that it also holds for cells that are scrolled out of sight.
 * - Outputs vanish when a cell begins to execute: its mark stays until there is news or the execution ends.
 */

import { Cell, CodeCell } from '@jupyterlab/cells';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { IOutputAreaModel } from '@jupyterlab/outputarea';
import { ITranslator } from '@jupyterlab/translation';
import { DisposableSet, IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { PanelLayout } from '@lumino/widgets';
import { markText, ownedRequest, resumable, statusNow } from './model';
import { MarkView } from './view';
import { NotebookControls } from '../notebook/notebook';
import { ISnapshot } from '../protocol/protocol';
import { Preferences } from '../settings';
import { Sightings } from '../requests/sightings';

const READ_MILLISECONDS = 60;
const DOUBT_MILLISECONDS = 6000;
const OWNER_CLASS = 'jp-durable-owner';

/** Everything one mark needs. */
interface IPlace {
  panel: NotebookPanel;
  translator: ITranslator;
  preferences: Preferences;
  sightings: Sightings;
}

/** Follows one cell. */
class CellMark implements IDisposable {
  constructor(place: IPlace, cell: CodeCell) {
    this._place = place;
    this._cell = cell;
    cell.model.outputs.changed.connect(this._onOutputs, this);
    cell.model.stateChanged.connect(this._later, this);
    cell.disposed.connect(this.dispose, this);
    place.preferences.changed.connect(this._later, this);
    this._read();
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    window.clearTimeout(this._timer);
    window.clearTimeout(this._doubt);
    this._cell.removeClass(OWNER_CLASS);
    this._clear();
    Signal.clearData(this);
  }

  /** A mark appears together with the view: a button that moves a moment later loses its press. */
  private _onOutputs(_: unknown, change: IOutputAreaModel.ChangedArgs): void {
    if (this._view === null && change.type === 'add') {
      this._read();
    } else {
      this._later();
    }
  }

  private _later(): void {
    if (this._timer === 0 && !this._disposed) {
      this._timer = window.setTimeout(() => this._read(), READ_MILLISECONDS);
    }
  }

  private _read(): void {
    this._timer = 0;
    const { model } = this._cell;
    const executing = model.executionState === 'running';
    const found = ownedRequest(model.outputs);
    if (found !== null || !executing) {
      this._known = found;
    }
    if (found !== null) {
      this._place.sightings.tell(found, Date.now() / 1000);
    }
    this._cell.toggleClass(OWNER_CLASS, this._known !== null);
    if (this._known === null || !this._place.preferences.now.showMarks) {
      this._clear();
    } else {
      this._draw(this._known, found === null);
    }
  }

  private _draw(snapshot: ISnapshot, begins: boolean): void {
    const executing = this._cell.model.executionState === 'running';
    const now = Date.now() / 1000;
    const status = begins ? 'running' : statusNow(snapshot, executing, now);
    const controls = this._controlled();
    controls.trusted = this._cell.model.trusted;
    this._shown().render({
      ...markText(snapshot, status, this._trans()),
      resumable: resumable(status),
      queued: controls.turn.queued,
      refusal: controls.refusal('replay')
    });
    window.clearTimeout(this._doubt);
    if (status === 'running' && !executing) {
      const again = () => this._read();
      this._doubt = window.setTimeout(again, DOUBT_MILLISECONDS);
    }
  }

  private _shown(): MarkView {
    if (this._view === null) {
      this._view = new MarkView(this._trans(), () => this._resume());
      (this._cell.layout as PanelLayout).insertWidget(0, this._view);
    }
    return this._view;
  }

  private _controlled(): NotebookControls {
    if (this._controls === null) {
      const { panel, translator } = this._place;
      const node = this._cell.outputArea.node;
      this._controls = new NotebookControls(panel, node, translator);
      this._controls.changed = () => this._later();
    }
    return this._controls;
  }

  private _resume(): void {
    const controls = this._controlled();
    const { turn } = controls;
    if (turn.queued) {
      turn.withdraw();
    } else {
      controls.runCell();
    }
    this._later();
  }

  private _clear(): void {
    this._controls?.turn.withdraw();
    this._controls?.dispose();
    this._controls = null;
    this._view?.dispose();
    this._view = null;
  }

  private _trans() {
    return this._place.translator.load('jupyter_durable');
  }

  private _place: IPlace;
  private _cell: CodeCell;
  private _known: ISnapshot | null = null;
  private _view: MarkView | null = null;
  private _controls: NotebookControls | null = null;
  private _timer = 0;
  private _doubt = 0;
  private _disposed = false;
}

/** Follows the cells of one notebook. */
class NotebookMarks implements IDisposable {
  constructor(place: IPlace) {
    this._place = place;
    const notebook = place.panel.content;
    notebook.modelChanged.connect(this._onModel, this);
    this._onModel();
  }

  get isDisposed(): boolean {
    return this._marks.isDisposed;
  }

  dispose(): void {
    Signal.clearData(this);
    this._marks.dispose();
  }

  private _onModel(): void {
    this._place.panel.content.model?.cells.changed.connect(this._follow, this);
    this._follow();
  }

  private _follow(): void {
    for (const cell of this._place.panel.content.widgets) {
      if (cell instanceof CodeCell && !this._followed.has(cell)) {
        this._followed.add(cell);
        const mark = new CellMark(this._place, cell);
        this._marks.add(mark);
        cell.disposed.connect(() => this._marks.remove(mark), this);
      }
    }
  }

  private _place: IPlace;
  private _followed = new WeakSet<Cell>();
  private _marks = new DisposableSet();
}

/** Adds marks to each notebook that opens. */
export class MarksExtension implements DocumentRegistry.IWidgetExtension<
  NotebookPanel,
  INotebookModel
> {
  constructor(where: Omit<IPlace, 'panel'>) {
    this._where = where;
  }

  createNew(panel: NotebookPanel): IDisposable {
    return new NotebookMarks({ ...this._where, panel });
  }

  private _where: Omit<IPlace, 'panel'>;
}
