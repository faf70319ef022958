/**
 * Marks on the cells that own a request.
 *
 * Rules of this file
 * - A cell without a request is left alone: no element, no class.
 * - Which request it is stands in the cell's model, also of cells that are scrolled out of sight; how it stands now is
 *   what its view shows, too (`Live`).
 * - Outputs vanish when a cell begins to execute: its mark stays until there is news or the execution ends.
 * - A view is never lost to an error: it comes back above that.
 */

import { Notification } from '@jupyterlab/apputils';
import { Cell, CodeCell } from '@jupyterlab/cells';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import {
  INotebookModel,
  NotebookActions,
  NotebookPanel
} from '@jupyterlab/notebook';
import { IOutputAreaModel } from '@jupyterlab/outputarea';
import { ITranslator } from '@jupyterlab/translation';
import { DisposableSet, IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { PanelLayout } from '@lumino/widgets';
import { IOwned, markText, ownedRequest, resumable } from './model';
import { MarkView } from './view';
import { Asking, askingOf } from '../notebook/asking';
import { NotebookControls } from '../notebook/notebook';
import { MIME_TYPE, readSnapshot } from '../protocol/protocol';
import { Live } from '../requests/live';
import { Preferences } from '../settings';
import { Sightings } from '../requests/sightings';
import { visible } from '../view/dom';

const READ_MILLISECONDS = 60;
const OWNER_CLASS = 'jp-durable-owner';

/** An output as it is saved. */
type Kept = ReturnType<IOutputAreaModel['toJSON']>[number];

/** What is used of the end of an execution. */
interface IExecuted {
  cell: Cell;
  success: boolean;
}

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
    const { panel, translator } = place;
    const { node } = cell.outputArea;
    this._controls = new NotebookControls(panel, node, translator);
    this._controls.changed = () => this._later();
    this._controls.ran = another => this._lookAgain(another);
    cell.model.outputs.changed.connect(this._onOutputs, this);
    cell.model.stateChanged.connect(this._later, this);
    cell.inViewportChanged.connect(this._later, this);
    cell.disposed.connect(this.dispose, this);
    place.preferences.changed.connect(this._later, this);
    NotebookActions.executed.connect(this._onExecuted, this);
    this._asking = askingOf(panel, translator);
    this._asking.filled.connect(this._later, this);
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
    this._cell.removeClass(OWNER_CLASS);
    this._own(null);
    this._clear();
    this._controls.turn.withdraw();
    this._controls.dispose();
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

  /** A cell that failed before it could begin shows no request: what it showed before is put back. */
  private _onExecuted(_: unknown, ended: IExecuted): void {
    const { outputs } = this._cell.model;
    const kept = this._kept;
    if (ended.cell === this._cell && !ended.success && kept !== null) {
      if (ownedRequest(outputs, this._asking.placed) === null) {
        outputs.fromJSON([kept, ...outputs.toJSON()]);
      }
    }
  }

  private _later(): void {
    if (this._timer === 0 && !this._disposed) {
      this._timer = window.setTimeout(() => this._read(), READ_MILLISECONDS);
    }
  }

  private _lookAgain(another: boolean): void {
    this._live?.lookAgain(another);
    this._later();
  }

  private _read(): void {
    this._timer = 0;
    const { model } = this._cell;
    const executing = model.executionState === 'running';
    const owned = ownedRequest(model.outputs, this._asking.placed);
    if (owned !== null || !executing) {
      this._own(owned);
    }
    if (owned !== null) {
      this._kept = model.outputs.get(owned.index).toJSON();
      this._take(owned);
    }
    this._cell.toggleClass(OWNER_CLASS, this._live !== null);
    if (this._live === null || !this._place.preferences.now.showMarks) {
      this._clear();
    } else {
      this._draw(this._live, owned === null);
    }
  }

  /** Follow the request that the cell owns, and no other. */
  private _own(owned: IOwned | null): void {
    const id = owned?.id ?? null;
    if (id === (this._live?.id ?? null)) {
      return;
    }
    this._unfollow();
    this._unfollow = () => undefined;
    this._live = null;
    if (id !== null) {
      const live = this._controls.lives.of(id);
      this._live = live;
      this._unfollow = live.follow({
        changed: () => this._news(live),
        inSight: () => this._cell.node.isConnected && !document.hidden,
        whole: false
      });
    }
  }

  /** What the output shows, unless its view has told already. */
  private _take({ id, head, index }: IOwned): void {
    const live = this._live;
    const { model } = this._cell;
    this._controls.about(id, model.trusted);
    if (live === null || head === null) {
      live?.look();
      return;
    }
    if (head.sequence > (live.snapshot?.sequence ?? -1)) {
      const whole = readSnapshot(model.outputs.get(index).data[MIME_TYPE]);
      live.take(whole ?? head);
    }
  }

  private _news(live: Live): void {
    if (live.snapshot !== null && live.certain) {
      this._place.sightings.tell(live.snapshot, Date.now() / 1000);
    }
    this._later();
  }

  private _draw(live: Live, begins: boolean): void {
    const { snapshot } = live;
    if (snapshot === null) {
      return;
    }
    if (this._cell.node.isConnected) {
      live.look();
    }
    const status = begins ? 'running' : live.status;
    this._shown().render({
      ...markText(snapshot, status, this._trans()),
      resumable: resumable(status) && !snapshot.request.forked_from,
      queued: this._controls.turn.queued,
      refusal: live.unknown ?? this._controls.refusal('resume')
    });
  }

  private _shown(): MarkView {
    if (this._view === null) {
      this._view = new MarkView(this._trans(), () => this._resume());
      (this._cell.layout as PanelLayout).insertWidget(0, this._view);
    }
    return this._view;
  }

  private _resume(): void {
    const { turn } = this._controls;
    const id = this._live?.id;
    if (turn.queued) {
      turn.withdraw();
    } else if (id !== undefined) {
      turn.whenFree(() => {
        this._controls.resume(id).catch((error: Error) => {
          Notification.error(visible(error.message), { autoClose: false });
        });
      });
    }
    this._later();
  }

  private _clear(): void {
    this._view?.dispose();
    this._view = null;
  }

  private _trans() {
    return this._place.translator.load('jupyter_durable');
  }

  private _place: IPlace;
  private _cell: CodeCell;
  private _asking: Asking;
  private _live: Live | null = null;
  private _unfollow: () => void = () => undefined;
  /** The output that showed the request last. */
  private _kept: Kept | null = null;
  private _view: MarkView | null = null;
  private _controls: NotebookControls;
  private _timer = 0;
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
