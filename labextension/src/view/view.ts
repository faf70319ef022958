/**
 * One request on the page.
 *
 * Rules of this file
 * - Drawn at most once a frame, patched, never rebuilt.
 * - It is the one place where what the user presses meets the controls: every failure is shown, none is lost.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { readPage } from '../protocol/answers';
import { IControls, IWish, ownCell } from './controls';
import { DetailView } from './detail';
import { element, setText, show, visible } from './dom';
import { Gate } from './gate';
import { HeadView } from './head';
import { Inquiry } from './inquiry';
import { Live } from '../requests/live';
import { Model } from '../model/model';
import { planTable } from './plan';
import { IShownCall, ISnapshot, readSnapshot } from '../protocol/protocol';
import { IPageOf } from '../model/rows';
import { TreeView } from './tree';
import { Answer } from './waiting';
import { faultInWords } from './words';

const TICK_MILLISECONDS = 1000;

export class RequestView {
  constructor(controls: IControls, trans: TranslationBundle) {
    this._controls = new Gate(controls);
    this._trans = trans;
    this._model = new Model(() => Date.now() / 1000);
    this._detail = this._makeDetail();
    this._head = this._makeHead();
    this._tree = new TreeView(this._model, trans, this._detail);
    this._tree.search = () => this._head.search();
    this._message.setAttribute('role', 'status');
    this.node = element('div', 'view', [
      this._head.node,
      this._head.summary,
      this._message,
      this._panel,
      this._tree.node
    ]);
    // On what has the focus: shortcuts of a notebook are for any of its elements that has it, “D D” to delete a cell too.
    this.node.addEventListener('focusin', event => {
      (event.target as HTMLElement).dataset.lmSuppressShortcuts = 'true';
    });
    this._model.changed = () => this._later();
    this._model.wanted = page => this._turn(page);
    this._controls.changed = () => this._later();
    this._inquiry = this._makeInquiry();
  }

  readonly node: HTMLElement;

  /** What it shows. */
  get model(): Model {
    return this._model;
  }

  /** Show a newer state. Whatever is no snapshot is left alone; false says so. */
  show(data: unknown): boolean {
    const snapshot = readSnapshot(data);
    if (snapshot === null) {
      return false;
    }
    this._display = snapshot.display;
    this._inquiry.show(snapshot);
    this._draw();
    return true;
  }

  /** What is known of the request is another thing now. */
  private _take(live: Live): void {
    const { snapshot } = live;
    if (snapshot === null || this._disposed) {
      return;
    }
    const before = this._model.snapshot?.request;
    const { run, status } = snapshot.request;
    if (snapshot !== this._model.snapshot) {
      this._model.take(snapshot);
    }
    if (before?.run !== run || before?.status !== status) {
      this._head.pending = '';
      this._panel.replaceChildren();
    }
    if (live.certain) {
      this._model.confirm();
    } else {
      this._model.doubt();
    }
    this._later();
    this._watch();
  }

  /** How it stands until the user says otherwise. */
  prefer(wanted: Pick<Model, 'opens' | 'timeline'>): void {
    const { opens, timeline } = wanted;
    const untouched = this._model.timeline === this._timeline;
    this._model.opens = opens;
    this._model.timeline = untouched ? timeline : this._model.timeline;
    this._timeline = timeline;
    this._model.changed();
  }

  dispose(): void {
    window.clearInterval(this._timer);
    window.cancelAnimationFrame(this._frame);
    this._inquiry.dispose();
    this._disposed = true;
    this._controls.turn.withdraw();
  }

  private _makeInquiry(): Inquiry {
    return new Inquiry(this._controls, {
      content: () => this._content(),
      take: live => this._take(live),
      inSight: () => this.node.isConnected && !document.hidden,
      differs: names => {
        this._head.changed = names;
        this._later();
      },
      changed: () => this._later()
    });
  }

  private _makeDetail(): DetailView {
    return new DetailView(
      this._controls,
      {
        replay: wish => this._replay(wish),
        fork: (text, told) => this._fork(text, told),
        debug: call => this._debug(call),
        copy: call => this._copy(this._code(call)),
        answer: (call, given) => this._answer(call, given)
      },
      this._trans
    );
  }

  private _makeHead(): HeadView {
    return new HeadView(
      this._model,
      this._controls,
      {
        cancel: () => this._cancel(),
        again: () => this._again(),
        runCell: () => this._controls.runCell(),
        replay: wish => this._replay(wish),
        preview: () => this._preview(),
        copyId: () => this._copy(this._content().request as string),
        leaveSearch: () => this._tree.focus()
      },
      this._trans
    );
  }

  private _later(): void {
    if (this._frame === 0 && !this._disposed) {
      this._frame = window.requestAnimationFrame(() => this._draw());
    }
  }

  private _draw(): void {
    this._frame = 0;
    const snapshot = this._model.snapshot;
    if (snapshot === null || this._disposed) {
      return;
    }
    const open = this._model.expanded;
    this._inquiry.look(open && !this._model.running);
    this.node.classList.toggle('jp-durable-timeline', this._model.timeline);
    this.node.classList.toggle('jp-durable-open', open);
    this.node.dataset.request = snapshot.request.id;
    this._detail.content = this._content();
    this._detail.canFork = snapshot.request.kind === 'function_call';
    this._model.noPages = this._controls.refusal('page');
    this._head.render(snapshot);
    show(this._tree.node, open);
    show(this._panel, open && this._panel.childElementCount > 0);
    const said = this._said || (open ? this._error(snapshot) : '');
    setText(this._message, said);
    show(this._message, said !== '');
    if (open) {
      this._tree.render();
    }
  }

  /** Why it did not succeed, in its own words. Of a cancel the state says all, and the cell how to go on. */
  private _error(snapshot: ISnapshot): string {
    if (['succeeded', 'cancelled'].includes(this._model.status)) {
      return '';
    }
    return faultInWords(snapshot) || visible(snapshot.request.error);
  }

  /** While a request runs its clocks tick. */
  private _watch(): void {
    const { running } = this._model;
    if (running && this._timer === 0) {
      const tick = () => this.node.isConnected && this._draw();
      this._timer = window.setInterval(tick, TICK_MILLISECONDS);
    } else if (!running && this._timer !== 0) {
      window.clearInterval(this._timer);
      this._timer = 0;
    }
  }

  private _content(): Record<string, unknown> {
    const snapshot = this._model.snapshot;
    return {
      request: snapshot?.request.id ?? '',
      display: this._display
    };
  }

  private _cancel(): void {
    this._pending(this._trans.__('cancelling…'));
    this._do(this._controls.ask('cancel', this._content()));
  }

  /** Replay as most people mean it: the cell executes again where it resumes the request, else the kernel replays. */
  private _again(): void {
    const { snapshot } = this._model;
    if (snapshot !== null && ownCell(this._controls, snapshot)) {
      this._resume();
    } else {
      this._replay(this._head.changed.length > 0 ? { latest: true } : {});
    }
  }

  private _resume(): void {
    const { request } = this._content();
    this._controls.turn.whenFree(() =>
      this._do(this._controls.resume(String(request)))
    );
    this._draw();
  }

  private _replay(wish: IWish): void {
    this._controls.turn.whenFree(() => {
      this._pending(this._trans.__('replaying…'));
      this._do(this._controls.ask('replay', { ...this._content(), ...wish }));
      this._inquiry.live?.expect();
    });
    this._draw();
  }

  private _fork(text: string, told: (failure: string | null) => void): void {
    this._controls.turn.whenFree(() => {
      const content = { ...this._content(), input: text };
      const asked = this._controls.ask('fork', content);
      asked.then(
        () => told(null),
        (error: Error) => told(visible(error.message))
      );
      this._do(
        asked.then(reply => {
          const id = (reply as { fork?: string }).fork ?? '';
          this._say(
            this._trans.__(
              'forked as %1 · get_request("%1") shows it',
              visible(id)
            )
          );
          // It was pressed far below.
          this._message.scrollIntoView?.({ block: 'nearest' });
        })
      );
    });
    this._draw();
  }

  private _answer(call: IShownCall, given: Answer): void {
    const content = { ...this._content(), call: call.id, answer: given };
    this._do(this._controls.ask('answer', content));
  }

  private _debug(call: IShownCall): void {
    this._controls.runBelow(
      `%durable debug ${this._content().request} ${call.label}`
    );
  }

  private _code(call: IShownCall): string {
    const id = JSON.stringify(this._content().request);
    const [name, n] = call.label.replace(/\]$/, '').split('[');
    return [
      'from jupyter_durable import get_request',
      '',
      `call = get_request(${id}).call(${JSON.stringify(name)}, ${Number(n)})`,
      'args, kwargs = call.inputs()',
      `${call.name}.local(*args, **kwargs)`
    ].join('\n');
  }

  private _copy(text: string): void {
    this._do(
      navigator.clipboard
        .writeText(text)
        .then(() => this._say(this._trans.__('copied')))
    );
  }

  private _preview(): void {
    if (this._panel.childElementCount > 0) {
      this._panel.replaceChildren();
      this._draw();
      return;
    }
    this._do(
      this._controls
        .ask('preview', { ...this._content(), latest: true })
        .then(reply => {
          this._panel.replaceChildren(planTable(reply, this._trans));
          this._draw();
        })
    );
  }

  private _turn(page: IPageOf): void {
    if (this._controls.refusal('page') !== null) {
      return;
    }
    const { failedOnly } = this._model;
    this._do(
      this._controls
        .ask('page', {
          ...this._content(),
          ...page,
          failed: failedOnly,
          failures_first: true
        })
        .then(reply => this._model.takePage(page, readPage(reply)))
    );
  }

  private _pending(said: string): void {
    this._head.pending = said;
    this._said = '';
    this._draw();
  }

  private _say(text: string): void {
    this._said = text;
    this._draw();
  }

  private _do(asked: Promise<unknown>): void {
    asked.catch((error: Error) => {
      this._head.pending = '';
      this._inquiry.live?.expectNothing();
      this._say(visible(error.message));
    });
  }

  private _controls: Gate;
  private _inquiry: Inquiry;
  private _trans: TranslationBundle;
  private _model: Model;
  private _head: HeadView;
  private _tree: TreeView;
  private _detail: DetailView;
  private _message = element('div', 'message');
  private _panel = element('div', 'panel');
  private _said = '';
  private _frame = 0;
  private _timer = 0;
  private _display = '';
  private _timeline = false;
  private _disposed = false;
}
