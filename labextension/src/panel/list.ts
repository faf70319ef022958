/**
 * The list of requests, with what filters it.
 *
 * Rules of this file
 * - One row is in the tab order; arrows move it, Enter opens, the menu key shows what can be done.
 * - Who uses the keyboard keeps the row when the list changes; when that row goes, the one that takes its place.
 * - An empty list says why it is empty and what to do.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import {
  button,
  element,
  hasFocus,
  patch,
  setText,
  show,
  visible
} from '../view/dom';
import { IListed, Requests } from '../requests/requests';
import { statusWord, thousands } from '../view/words';
import { fileName, keyOf, STATES } from './listed';
import { IRowActs, RequestRow } from './rows';

const TYPING_MILLISECONDS = 250;
const MORE = 100;

/** What is done from the list. */
export interface IListActs extends IRowActs {
  /** Export the applications of the notebook that is open; where there are notebooks. */
  export?(): void;
}

export class ListView {
  constructor(requests: Requests, acts: IListActs, trans: TranslationBundle) {
    this._requests = requests;
    this._acts = acts;
    this._trans = trans;
    this._export = button(trans.__('Export…'), 'entries-button', () =>
      acts.export?.()
    );
    this._export.title = trans.__('Applications of the open notebook');
    show(this._export, acts.export !== undefined);
    this._prepare();
    const filters = element('div', 'entries-filters', [
      this._state,
      this._place
    ]);
    this.node = element('div', 'entries', [
      element('div', 'entries-head', [
        this._search,
        filters,
        element('div', 'entries-line', [this._count, this._export])
      ]),
      this._message,
      this._rows,
      this._foot
    ]);
    requests.changed.connect(this.render, this);
    this.render();
  }

  readonly node: HTMLElement;

  /** Where the user begins to type. */
  focus(): void {
    this._search.focus();
  }

  dispose(): void {
    window.clearTimeout(this._typing);
    this._requests.changed.disconnect(this.render, this);
  }

  render(): void {
    const { list, running } = this._requests;
    const now = Date.now() / 1000;
    const focused = hasFocus(this._rows);
    this._choose();
    patch(
      this._rows,
      [...list],
      keyOf,
      one => this._made(one),
      (node, one) => {
        this._known.get(node)?.update(one, now);
        node.tabIndex = keyOf(one) === this._active ? 0 : -1;
      }
    );
    show(this._rows, list.length > 0);
    if (focused && !hasFocus(this._rows)) {
      this._refocus();
    }
    const trans = this._trans;
    setText(
      this._count,
      running > 0 ? trans.__('%1 running', thousands(running)) : ''
    );
    this._offer();
    this._say();
    this._end();
  }

  /** What is in the tab order stays so; when it is listed no more, what comes after it is, or what was before it. */
  private _choose(): void {
    const keys = this._requests.list.map(keyOf);
    if (keys.includes(this._active)) {
      return;
    }
    const shown = Array.from(this._rows.children, keyOfRow);
    const at = shown.indexOf(this._active);
    const near = [...shown.slice(at + 1), ...shown.slice(0, at + 1).reverse()];
    this._active = near.find(key => keys.includes(key)) ?? keys[0] ?? '';
  }

  /** The focus goes where the row was that had it. */
  private _refocus(): void {
    const next = this._rows.querySelector<HTMLElement>(
      ':scope > [tabindex="0"]'
    );
    (next ?? this._search).focus();
  }

  private _prepare(): void {
    const trans = this._trans;
    const labels: [HTMLElement, string][] = [
      [this._search, trans.__('Search by name, id or text')],
      [this._state, trans.__('Filter by state')],
      [this._place, trans.__('Filter by notebook')],
      [this._rows, trans.__('Durable requests')]
    ];
    labels.forEach(([node, label]) => node.setAttribute('aria-label', label));
    this._search.type = 'search';
    this._search.placeholder = trans.__('Search');
    this._rows.setAttribute('role', 'grid');
    this._message.setAttribute('role', 'status');
    this._count.setAttribute('role', 'status');
    this._state.append(new Option(trans.__('All states'), ''));
    STATES.forEach(state =>
      this._state.append(new Option(statusWord(state, trans), state))
    );
    this._search.addEventListener('input', () => this._typed());
    for (const node of [this._state, this._place]) {
      node.addEventListener('change', () => this._want());
    }
    this._rows.addEventListener('keydown', event => this._onKey(event));
    this._rows.addEventListener('contextmenu', event => this._onMenu(event));
    this._more = button(trans.__('Show more'), 'entries-button', () =>
      this._want(this._requests.wanted.limit + MORE)
    );
    this._clear = button(trans.__('Clear filters'), 'entries-button', () =>
      this._unfilter()
    );
    this._foot.append(this._shown, this._more);
  }

  private _made(one: IListed): HTMLElement {
    const row = new RequestRow(this._acts, this._trans);
    this._known.set(row.node, row);
    row.node.addEventListener('focusin', () => this._activate(row.node));
    row.node.dataset.request = one.id;
    return row.node;
  }

  private _typed(): void {
    window.clearTimeout(this._typing);
    this._typing = window.setTimeout(() => this._want(), TYPING_MILLISECONDS);
  }

  private _want(limit = MORE): void {
    void this._requests.want({
      status: this._state.value,
      notebook: this._place.value,
      text: this._search.value.trim(),
      limit
    });
  }

  private _unfilter(): void {
    this._search.value = '';
    this._state.value = '';
    this._place.value = '';
    this._want();
    this._search.focus();
  }

  /** Notebooks to choose from; the chosen one stays, also when it has no requests any more. */
  private _offer(): void {
    const { notebooks, wanted } = this._requests;
    const names = ['', ...new Set([...notebooks, wanted.notebook])];
    const offered = names.filter((name, at) => at === 0 || name !== '');
    const known = Array.from(this._place.options, option => option.value);
    if (known.length > 0 && offered.join('\n') === known.join('\n')) {
      return;
    }
    const options = offered.map(name => {
      const label = name ? fileName(name) : this._trans.__('All notebooks');
      const option = new Option(visible(label), name);
      option.title = visible(name);
      return option;
    });
    this._place.replaceChildren(...options);
    this._place.value = wanted.notebook;
  }

  private _say(): void {
    const { refusal, problems } = this._requests;
    const said = refusal ?? (this._nothing() || problems.join('\n'));
    const filtered =
      refusal === null && this._nothing() !== '' && this._filtered();
    setText(this._message, visible(said));
    if (filtered) {
      this._message.append(this._clear);
    }
    show(this._message, said !== '');
  }

  private _nothing(): string {
    const { list, known } = this._requests;
    const trans = this._trans;
    if (!known) {
      return trans.__('Looking…');
    }
    if (list.length > 0) {
      return '';
    }
    return this._filtered()
      ? trans.__('No request is like that.')
      : trans.__(
          'No requests yet. Write %1 at the top of a cell, or call an @application() in one, and it shows here.',
          '%%durable'
        );
  }

  private _filtered(): boolean {
    const { status, notebook, text } = this._requests.wanted;
    return status !== '' || notebook !== '' || text !== '';
  }

  private _end(): void {
    const { list, more } = this._requests;
    const count = list.length;
    show(this._foot, count > 0);
    setText(
      this._shown,
      this._trans._n('%1 request', '%1 requests', count, thousands(count))
    );
    show(this._more, more);
  }

  private _activate(node: HTMLElement): void {
    for (const each of Array.from(this._rows.children) as HTMLElement[]) {
      each.tabIndex = each === node ? 0 : -1;
    }
    this._active = keyOfRow(node);
  }

  private _onKey(event: KeyboardEvent): void {
    const node = (event.target as HTMLElement).closest<HTMLElement>(
      '.jp-durable-listed'
    );
    const row = node === null ? undefined : this._known.get(node);
    if (node === null || row === undefined || event.target !== node) {
      return;
    }
    const next: Record<string, Element | null> = {
      ArrowDown: node.nextElementSibling,
      ArrowUp: node.previousElementSibling,
      Home: this._rows.firstElementChild,
      End: this._rows.lastElementChild
    };
    if (event.key in next) {
      (next[event.key] as HTMLElement | null)?.focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      row.open();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private _onMenu(event: MouseEvent): void {
    const node = (event.target as HTMLElement).closest<HTMLElement>(
      '.jp-durable-listed'
    );
    if (node !== null) {
      event.preventDefault();
      event.stopPropagation();
      this._known.get(node)?.menuAt(event.clientX, event.clientY);
    }
  }

  private _requests: Requests;
  private _acts: IRowActs;
  private _trans: TranslationBundle;
  private _search = element('input', 'entries-search');
  private _state = element('select', 'entries-select');
  private _place = element('select', 'entries-select');
  private _count = element('div', 'entries-count');
  private _message = element('div', 'entries-message');
  private _rows = element('div', 'entries-rows');
  private _foot = element('div', 'entries-foot');
  private _shown = element('span', 'quiet');
  private _more!: HTMLButtonElement;
  private _export: HTMLButtonElement;
  private _clear!: HTMLButtonElement;
  private _known = new WeakMap<HTMLElement, RequestRow>();
  private _active = '';
  private _typing = 0;
}

function keyOfRow(row: Element): string {
  return (row as HTMLElement).dataset.key ?? '';
}
