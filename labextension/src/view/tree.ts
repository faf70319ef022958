/**
 * The rows of a view.
 *
 * Rules of this file
 * - An element a row, patched by key. One row can be reached with Tab, the others with the arrow keys.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { Axis } from '../model/axis';
import {
  element,
  patch,
  setAttribute,
  setStyle,
  setText,
  show,
  visible
} from './dom';
import { Model } from '../model/model';
import { updatePager } from './pager';
import { IGroup, IShownCall } from '../protocol/protocol';
import { IPace } from '../model/rate';
import { IRow } from '../model/rows';
import {
  barClass,
  barsOf,
  faultText,
  IParts,
  makeParts,
  setBars,
  setSign,
  shownValues,
  sourceText,
  spanOf,
  statusNow,
  updateBadges,
  updateShare
} from './row';
import {
  groupSource,
  groupText,
  lasting,
  statusWord,
  thousands
} from './words';

/** What stands below a selected call. */
export interface IDetailView {
  readonly node: HTMLElement;
  render(call: IShownCall): void;
}

export class TreeView {
  constructor(model: Model, trans: TranslationBundle, detail: IDetailView) {
    this._model = model;
    this._trans = trans;
    this._detail = detail;
    this.node = element('div', 'tree');
    this.node.setAttribute('role', 'tree');
    this.node.setAttribute('aria-label', trans.__('Calls of the request'));
    this.node.addEventListener('keydown', event => this._keydown(event));
  }

  readonly node: HTMLElement;

  /** Called when the user wants to search. */
  search: () => void = () => undefined;

  /** Give the focus back to the row that had it. */
  focus(): void {
    this.node.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  }

  render(): void {
    const rows = this._model.rows();
    const axis = this._model.axis();
    this._rows = new Map(rows.map(row => [row.key, row]));
    if (this._active === null || !this._rows.has(this._active)) {
      this._active = rows[0]?.key ?? null;
    }
    patch(
      this.node,
      rows,
      row => row.key,
      row => this._make(row),
      (node, row) => this._update(node, row, axis)
    );
    for (const key of this._parts.keys()) {
      if (!this._rows.has(key)) {
        this._parts.delete(key);
      }
    }
  }

  private _make(row: IRow): HTMLElement {
    const item = element('div', 'item');
    item.setAttribute('role', 'treeitem');
    if (row.call === null && row.group === null) {
      return item;
    }
    const parts = makeParts();
    this._parts.set(row.key, parts);
    parts.row.addEventListener('click', () => this._press(row.key, false));
    parts.twisty.addEventListener('click', event => {
      event.stopPropagation();
      this._press(row.key, true);
    });
    item.append(parts.row);
    return item;
  }

  private _update(item: HTMLElement, row: IRow, axis: Axis): void {
    const selected = this._model.selected === row.key;
    setAttribute(item, 'tabindex', row.key === this._active ? '0' : '-1');
    setAttribute(item, 'aria-level', String(row.depth + 1));
    setAttribute(item, 'aria-selected', String(selected));
    setAttribute(
      item,
      'aria-expanded',
      row.expandable ? String(row.open) : null
    );
    const parts = this._parts.get(row.key);
    if (parts === undefined) {
      updatePager(item, row, this._model, this._trans);
      return;
    }
    setStyle(parts.row, '--jp-durable-depth', String(row.depth));
    setText(parts.twisty, row.expandable ? (row.open ? '▾' : '▸') : '');
    if (row.call !== null) {
      this._updateCall(item, parts, row.call, row.items, axis);
    } else if (row.group !== null) {
      this._updateGroup(item, parts, row.group, axis);
    }
    const fault = faultText(row);
    setText(parts.fault, fault);
    setAttribute(parts.fault, 'title', fault || null);
    show(parts.fault, fault !== '');
    this._updateDetail(item, selected ? row.call : null);
  }

  private _updateDetail(item: HTMLElement, call: IShownCall | null): void {
    const detail = this._detail.node;
    if (call === null) {
      if (detail.parentElement === item) {
        detail.remove();
      }
      return;
    }
    if (detail.parentElement !== item) {
      item.append(detail);
    }
    this._detail.render(call);
  }

  private _updateCall(
    item: HTMLElement,
    parts: IParts,
    call: IShownCall,
    group: IGroup | null,
    axis: Axis
  ): void {
    const trans = this._trans;
    const status = statusNow(call.status, this._model);
    const count = group?.total ?? (call.kind === 'map' ? call.children : 0);
    const label = count
      ? `${visible(call.name)} ×${thousands(count)}`
      : visible(call.label);
    const span = spanOf(this._model.span(call), group);
    const elapsed = span.end - span.start;
    const pace = this._pace(call, group);
    setText(parts.label, label);
    const values = shownValues(call, group, pace, trans);
    setText(parts.values, values);
    setAttribute(parts.values, 'title', values || null);
    updateBadges(parts.badges, call, trans);
    const source = group
      ? groupSource(group, pace, trans)
      : sourceText(call, status, trans);
    const known = call.duration !== null || status === 'running';
    const duration = known ? lasting(elapsed) : '';
    setText(parts.source, source);
    setText(parts.duration, duration);
    setSign(parts, status, trans);
    const bars = barsOf(call, span, barClass(call, group, status), trans);
    setBars(parts.track, bars, axis);
    updateShare(parts, pace, status);
    const said = [label, statusWord(status, trans), source, duration];
    setAttribute(item, 'aria-label', said.filter(each => each).join(', '));
  }

  private _pace(call: IShownCall, group: IGroup | null): IPace | null {
    const { paces } = this._model;
    return group === null ? paces.ofCall(call) : paces.ofGroup(group);
  }

  private _updateGroup(
    item: HTMLElement,
    parts: IParts,
    group: IGroup,
    axis: Axis
  ): void {
    const trans = this._trans;
    const given = group.running
      ? 'running'
      : group.failed
        ? 'failed'
        : group.cut_off
          ? 'cancelled'
          : 'succeeded';
    const status = statusNow(given, this._model);
    const span = {
      start: group.started_at,
      end:
        given === 'running'
          ? this._model.now()
          : group.started_at + group.seconds
    };
    setText(parts.label, `${visible(group.name)} ×${thousands(group.total)}`);
    const pace = this._model.paces.ofGroup(group);
    const told = groupText(group, trans);
    setText(parts.values, told);
    setAttribute(parts.values, 'title', told);
    setText(parts.source, groupSource(group, pace, trans));
    const seconds = span.end - span.start;
    setText(parts.duration, seconds > 0 ? lasting(seconds) : '');
    setSign(parts, status, trans);
    setBars(parts.track, [{ span, status, said: '' }], axis);
    updateShare(parts, pace, status);
    setAttribute(
      item,
      'aria-label',
      `${parts.label.textContent}, ${parts.values.textContent}`
    );
  }

  private _press(key: string, twisty: boolean): void {
    const row = this._rows.get(key);
    if (row === undefined) {
      return;
    }
    this._active = key;
    if (row.expandable && (twisty || row.call === null || row.group !== null)) {
      this._model.toggle(row);
    } else {
      this._model.select(this._model.selected === key ? null : key);
    }
  }

  private _keydown(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (target.getAttribute('role') !== 'treeitem') {
      return;
    }
    const row = this._rows.get(target.dataset.key ?? '');
    if (row === undefined || !this._act(event.key, row, target)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** The keys of the tree pattern of the ARIA practices. */
  private _act(key: string, row: IRow, item: HTMLElement): boolean {
    const items = Array.from(this.node.children) as HTMLElement[];
    const at = items.indexOf(item);
    switch (key) {
      case 'ArrowDown':
        return this._focus(items[at + 1]);
      case 'ArrowUp':
        return this._focus(items[at - 1]);
      case 'Home':
        return this._focus(items[0]);
      case 'End':
        return this._focus(items[items.length - 1]);
      case 'ArrowRight':
        if (row.open) {
          return this._focus(items[at + 1]);
        }
        this._model.toggle(row, true);
        return true;
      case 'ArrowLeft':
        if (row.open) {
          this._model.toggle(row, false);
          return true;
        }
        return this._focus(
          items
            .slice(0, at)
            .reverse()
            .find(each => level(each) < level(item))
        );
      case 'Enter':
      case ' ':
        this._press(row.key, row.call === null);
        return true;
      case 'Escape':
        this._model.select(null);
        return true;
      case '/':
        this.search();
        return true;
      default:
        return false;
    }
  }

  private _focus(item: HTMLElement | undefined): boolean {
    if (item !== undefined) {
      this._active = item.dataset.key ?? null;
      for (const each of Array.from(this.node.children)) {
        each.setAttribute('tabindex', each === item ? '0' : '-1');
      }
      item.focus();
    }
    return true;
  }

  private _model: Model;
  private _trans: TranslationBundle;
  private _detail: IDetailView;
  private _rows = new Map<string, IRow>();
  private _parts = new Map<string, IParts>();
  private _active: string | null = null;
}

function level(item: HTMLElement): number {
  return Number(item.getAttribute('aria-level'));
}
