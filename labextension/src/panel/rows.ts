/**
 * One request as a row of the panel.
 *
 * Rules of this file
 * - Patched, never rebuilt: a button that is pressed while an update comes is still there.
 * - State by sign and word, never by colour alone.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import {
  allow,
  button,
  element,
  setAttribute,
  setText,
  show,
  visible
} from '../view/dom';
import { IListed } from '../requests/requests';
import { mark, statusWord } from '../view/words';
import { IAction } from './actions';
import { callsText, placeText } from './listed';

/** What a row can ask for. */
export interface IRowActs {
  open(one: IListed): void;
  menu(one: IListed, x: number, y: number): void;
  first(one: IListed): IAction | null;
}

export class RequestRow {
  constructor(acts: IRowActs, trans: TranslationBundle) {
    this._acts = acts;
    this._trans = trans;
    const title = element('div', 'listed-title', [
      this._sign,
      this._state,
      this._name,
      this._pin
    ]);
    const text = element('div', 'listed-text', [
      title,
      this._place,
      this._calls
    ]);
    text.setAttribute('role', 'gridcell');
    this._first = button('', 'listed-button', () => this._press());
    this._more = button('⋯', 'listed-more', () => this._menu());
    const buttons = element('div', 'listed-buttons', [this._first, this._more]);
    buttons.setAttribute('role', 'gridcell');
    this._first.tabIndex = -1;
    this._more.tabIndex = -1;
    this._more.setAttribute('aria-label', trans.__('More actions'));
    this._more.setAttribute('aria-haspopup', 'menu');
    this._pin.title = trans.__('Pinned: garbage collection leaves it alone');
    this.node = element('div', 'listed', [text, buttons]);
    this.node.setAttribute('role', 'row');
    this.node.tabIndex = -1;
    this.node.addEventListener('click', () => this.open());
  }

  readonly node: HTMLElement;

  update(one: IListed, now: number): void {
    const trans = this._trans;
    this._one = one;
    for (const node of [this.node, this._sign]) {
      setAttribute(node, 'data-status', one.status);
    }
    setText(this._sign, mark(one.status));
    setText(this._state, statusWord(one.status, trans));
    setText(this._name, visible(one.application));
    setText(this._pin, one.pinned ? trans.__('pinned') : '');
    show(this._pin, one.pinned);
    setText(this._place, visible(placeText(one, now, trans)));
    const well = ['succeeded', 'cancelled'].includes(one.status);
    const failed = !well && one.error !== null;
    const said = failed ? firstLine(one.error ?? '') : callsText(one, trans);
    setText(this._calls, visible(said));
    setAttribute(this._calls, 'data-failed', failed ? 'true' : null);
    show(this._calls, said !== '');
    this._title(one);
    this._act = this._acts.first(one);
    show(this._first, this._act !== null);
    if (this._act !== null) {
      setText(this._first, this._act.label);
      allow(this._first, this._act.refusal, '');
    }
  }

  /** Show it as a tab. */
  open(): void {
    if (this._one !== null) {
      this._acts.open(this._one);
    }
  }

  /** Open the menu at the row. */
  menuAt(x: number, y: number): void {
    if (this._one !== null) {
      this._acts.menu(this._one, x, y);
    }
  }

  private _title(one: IListed): void {
    const facts = [one.id, one.notebook, one.held_by, one.error];
    const told = facts.filter(each => each !== null && each !== '');
    setAttribute(this.node, 'title', visible(told.join('\n').slice(0, 2000)));
  }

  private _menu(): void {
    const { left, bottom } = this._more.getBoundingClientRect();
    this.menuAt(left, bottom);
  }

  private _press(): void {
    if (this._act !== null && this._act.refusal === null) {
      this._act.act();
    }
  }

  private _acts: IRowActs;
  private _trans: TranslationBundle;
  private _one: IListed | null = null;
  private _act: IAction | null = null;
  private _sign = element('span', 'sign');
  private _state = element('span', 'listed-state');
  private _name = element('b', 'listed-name');
  private _pin = element('span', 'listed-pin');
  private _place = element('div', 'listed-place');
  private _calls = element('div', 'listed-calls');
  private _first: HTMLButtonElement;
  private _more: HTMLButtonElement;
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0];
}
