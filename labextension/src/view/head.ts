/**
 * The first lines of a view: what the request is, how it went, and its controls.
 *
 * Rules of this file
 * - Made once and patched: a button keeps its place while updates come.
 * - A control that cannot work now is disabled and says why.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { savedText } from '../model/counting';
import { told } from '../model/metrics';
import { IControls, IWish, offered, ownCell, Verb } from './controls';
import {
  allow,
  button,
  element,
  setAttribute,
  setText,
  show,
  visible
} from './dom';
import { MenuView } from './menu';
import { Model } from '../model/model';
import { ICounts, ISnapshot } from '../protocol/protocol';
import { setShare } from './row';
import {
  driftText,
  goOnText,
  inOneLine,
  lasting,
  mark,
  progressText,
  statusWord,
  thousands
} from './words';

const ALIVE = ['queued', 'waiting'];
const MOST_NAMES = 6;

/** What the head asks its view to do. */
export interface IHeadActions {
  cancel(): void;
  again(): void;
  runCell(): void;
  replay(wish: IWish): void;
  preview(): void;
  copyId(): void;
  leaveSearch(): void;
}

interface IItem {
  node: HTMLButtonElement;
  verb: Verb | null;
  title: string;
}

export class HeadView {
  constructor(
    model: Model,
    controls: IControls,
    actions: IHeadActions,
    trans: TranslationBundle
  ) {
    this._model = model;
    this._controls = controls;
    this._actions = actions;
    this._trans = trans;
    this._make();
  }

  readonly node = element('div', 'head');
  readonly summary = element('div', 'summary');

  /** Functions whose code is another one now than the one this request ran. */
  changed: string[] = [];

  /** What was asked and has not shown its effect yet, in words. */
  pending = '';

  /** Begin to search. */
  search(): void {
    this._search.focus();
  }

  render(snapshot: ISnapshot): void {
    const { request } = snapshot;
    const trans = this._trans;
    const status = this._model.status;
    setText(this._sign, mark(status));
    setText(this._status, statusWord(status, trans));
    setAttribute(this._state, 'data-status', status);
    setText(this._name, visible(request.application));
    const run = request.run > 1 ? trans.__(' · run %1', request.run) : '';
    const origin = request.forked_from
      ? trans.__(' · fork of %1', visible(request.forked_from))
      : '';
    setText(this._id, `${visible(request.id)}${run}${origin}`);
    this._renderProgress(snapshot);
    this._renderButtons(status, snapshot);
    this._renderSummary(snapshot, status);
    show(this.summary, this._model.expanded);
    const open = this._model.expanded;
    setText(this._twisty, open ? '▾' : '▸');
    setAttribute(this._twisty, 'aria-expanded', String(open));
  }

  private _make(): void {
    const trans = this._trans;
    this._twisty = button('', 'twisty', () =>
      this._model.expand(!this._model.expanded)
    );
    this._twisty.setAttribute('aria-label', trans.__('Calls'));
    this._state.append(this._sign, this._status);
    this._progress.append(this._share);
    this._cancel = this._add('cancel', trans.__('Cancel'), {
      title: trans.__('Stop it; what succeeded is kept'),
      act: () => this._actions.cancel()
    });
    this._again = this._add('replay', trans.__('Replay'), {
      title: '',
      act: () => this._pressAgain()
    });
    this._again.node.classList.add('jp-durable-primary');
    this._menu = new MenuView(this._controls, this._actions, trans);
    this.node.append(
      this._twisty,
      this._state,
      this._name,
      this._id,
      this._progress,
      this._line,
      element('span', 'right', [
        this._cancel.node,
        this._again.node,
        this._menu.node
      ])
    );
    this._makeSummary();
  }

  private _makeSummary(): void {
    const trans = this._trans;
    this._drift = button('', 'link warn', () => {
      if (this._controls.refusal('replay') === null) {
        this._actions.replay({ rerun: 'changed' });
      }
    });
    this._timeline = button(trans.__('Timeline'), 'toggle', () => {
      this._model.timeline = !this._model.timeline;
      this._model.changed();
    });
    this._failed = button(trans.__('Failed only'), 'toggle', () =>
      this._model.filter(!this._model.failedOnly, this._model.search)
    );
    this._search.type = 'search';
    this._search.placeholder = trans.__('Search');
    this._search.setAttribute('aria-label', trans.__('Search calls'));
    this._search.addEventListener('input', () =>
      this._model.filter(this._model.failedOnly, this._search.value)
    );
    this._search.addEventListener('keydown', event => {
      event.stopPropagation();
      if (event.key === 'Escape') {
        this._search.value = '';
        this._model.filter(this._model.failedOnly, '');
        this._actions.leaveSearch();
      }
    });
    this.summary.append(
      this._counts,
      this._drift,
      this._changed,
      this._note,
      element('span', 'right', [this._timeline, this._failed, this._search])
    );
  }

  private _add(
    verb: Verb,
    label: string,
    what: { title: string; act: () => void }
  ): IItem {
    const node = button(label, 'button', () => {
      if (item.verb === null || this._controls.refusal(item.verb) === null) {
        what.act();
      }
    });
    const item: IItem = { node, verb, title: what.title };
    this._items.push(item);
    return item;
  }

  private _pressAgain(): void {
    const { turn } = this._controls;
    if (turn.queued) {
      turn.withdraw();
    } else {
      this._actions.again();
    }
  }

  private _renderProgress(snapshot: ISnapshot): void {
    const running = this._model.running;
    const pace = running ? this._model.paces.overall(snapshot) : null;
    const began = snapshot.request.started_at ?? snapshot.at;
    show(this._progress, pace !== null);
    let line = '';
    if (pace !== null) {
      setShare(this._share, pace);
      line = progressText(pace, this._trans);
    } else if (running) {
      line = lasting(Math.max(0, this._model.now() - began));
    } else if (!this._model.expanded) {
      line = inOneLine(snapshot, this._trans);
    }
    setText(this._line, this.pending || line);
    setAttribute(this._line, 'title', this.pending || line || null);
  }

  private _renderButtons(status: string, snapshot: ISnapshot): void {
    const trans = this._trans;
    const running = status === 'running';
    const well = status === 'succeeded';
    const hasCell = ownCell(this._controls, snapshot);
    const { ahead } = snapshot;
    const { queued } = this._controls.turn;
    const differs = this.changed.length > 0;
    const stops = offered(this._controls, 'cancel');
    show(this._cancel.node, stops && (running || ALIVE.includes(status)));
    const open = this._model.expanded;
    const runs = offered(this._controls, 'replay');
    show(this._again.node, runs && !running && (!well || queued || open));
    this._again.node.classList.toggle('jp-durable-primary', !well);
    this._again.verb = hasCell ? 'resume' : 'replay';
    show(this._menu.node, open);
    this._menu.render({
      changed: this.changed,
      over: well && hasCell,
      ended: !running
    });
    setText(
      this._again.node,
      queued
        ? trans.__('Queued · withdraw')
        : well
          ? differs
            ? trans.__('Replay with latest code')
            : trans.__('Replay')
          : goOnText(ahead, { hasCell, latest: differs }, trans)
    );
    this._again.title = this._againTitle(queued, hasCell, well);
    for (const { node, verb, title } of this._items) {
      allow(node, verb === null ? null : this._controls.refusal(verb), title);
    }
    setText(
      this._changed,
      differs && open
        ? trans.__('△ changed since: %1', visible(names(this.changed)))
        : ''
    );
  }

  private _againTitle(
    queued: boolean,
    hasCell: boolean,
    well: boolean
  ): string {
    const trans = this._trans;
    if (queued) {
      return trans.__('It starts when the kernel is free; press to withdraw');
    }
    const goesOn = trans.__(
      'Execute this cell again and go on with this request: its variables arrive, what is unchanged is reused, what was not reached runs, too'
    );
    const what = hasCell
      ? well
        ? goesOn
        : trans.__(
            'Execute this cell again: what succeeded is reused, what was not reached runs, too'
          )
      : trans.__(
          'Run it again: what succeeded is reused, what was not reached runs, too'
        );
    return this.changed.length > 0
      ? trans.__('%1. Changed since: %2', what, visible(names(this.changed)))
      : what;
  }

  private _renderSummary(snapshot: ISnapshot, status: string): void {
    const trans = this._trans;
    const { counts } = snapshot;
    const parts: [string, string][] = [];
    if (counts.reused) {
      parts.push([thousands(counts.reused), trans.__('from checkpoint')]);
    }
    parts.push([thousands(counts.executed), trans.__('ran')]);
    if (counts.failed) {
      parts.push([thousands(counts.failed), trans.__('failed')]);
    }
    if (counts.running && status === 'running') {
      parts.push([thousands(counts.running), trans.__('running')]);
    }
    if (counts.metrics.length) {
      parts.push([visible(told(counts.metrics)), '']);
    }
    if (savedText(counts)) {
      parts.push([visible(savedText(counts)), trans.__('saved')]);
    }
    const state = JSON.stringify(parts);
    if (this._counts.dataset.state !== state) {
      this._counts.dataset.state = state;
      this._counts.replaceChildren(
        ...parts.map(([figure, word]) => {
          const made = element('span', 'count', [element('b', '', figure)]);
          made.append(` ${word}`);
          return made;
        })
      );
    }
    this._renderDrift(counts);
    setText(
      this._note,
      snapshot.partial
        ? trans.__('its calls are not saved in this notebook')
        : snapshot.omitted && (this._model.search || this._model.failedOnly)
          ? trans.__('searches the calls that are shown')
          : ''
    );
    setAttribute(this._timeline, 'aria-pressed', String(this._model.timeline));
    setAttribute(this._failed, 'aria-pressed', String(this._model.failedOnly));
  }

  private _renderDrift(counts: ICounts): void {
    const trans = this._trans;
    const drift = driftText(counts, trans);
    const runs = offered(this._controls, 'replay', true);
    show(this._drift, runs && drift !== '');
    setText(this._drift, trans.__('△ %1 — re-run', drift));
    allow(
      this._drift,
      this._controls.refusal('replay'),
      trans.__('Re-run what changed')
    );
  }

  private _model: Model;
  private _controls: IControls;
  private _actions: IHeadActions;
  private _trans: TranslationBundle;
  private _state = element('span', 'state');
  private _sign = element('span', 'sign');
  private _status = element('span', '');
  private _name = element('b', 'application');
  private _id = element('span', 'id');
  private _progress = element('span', 'share wide');
  private _share = element('u', '');
  private _line = element('span', 'line');
  private _counts = element('span', 'counts');
  private _note = element('span', 'quiet');
  private _changed = element('span', 'changed');
  private _search = element('input', 'search');
  private _items: IItem[] = [];
  private _twisty!: HTMLButtonElement;
  private _menu!: MenuView;
  private _cancel!: IItem;
  private _again!: IItem;
  private _drift!: HTMLButtonElement;
  private _timeline!: HTMLButtonElement;
  private _failed!: HTMLButtonElement;
}

/** Some names, the others as a number. */
function names(all: string[]): string {
  const more = all.length - MOST_NAMES;
  const shown = all.slice(0, MOST_NAMES).join(', ');
  return more > 0 ? `${shown}, +${more}` : shown;
}
