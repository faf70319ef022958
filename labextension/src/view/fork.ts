/**
 * Where the input of a fork is written.
 *
 * Rules of this file
 * - What was typed stays until the fork has begun: what is wrong with it is said beside it.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { button, element, setText, show, visible } from './dom';

/** Begins a fork; `told`: that it has begun (null), or why it could not. */
export type Fork = (
  text: string,
  told: (failure: string | null) => void
) => void;

const MOST_ROWS = 10;

export class ForkEditor {
  constructor(fork: Fork, trans: TranslationBundle) {
    this._fork = fork;
    this._trans = trans;
    this._area.placeholder = trans.__('["by position"] or {"by": "name"}');
    this._area.spellcheck = false;
    this._area.setAttribute(
      'aria-label',
      trans.__(
        'Input of the new request: a JSON list, or an object with arguments by name'
      )
    );
    this._wrong.setAttribute('role', 'alert');
    this.node = element('div', 'fork', [
      this._area,
      this._wrong,
      element('div', 'buttons', [
        button(trans.__('Fork'), 'button primary', () => this._press()),
        button(trans.__('Close'), 'button', () => this.close())
      ])
    ]);
    this.node.hidden = true;
  }

  readonly node: HTMLElement;

  /** Begin to write, with the recorded input. */
  open(input: string): void {
    this._area.value = input;
    this._area.rows = Math.min(MOST_ROWS, input.split('\n').length + 1);
    setText(this._wrong, '');
    show(this.node, true);
    this._area.focus();
  }

  /** The recorded input has come, maybe after it was opened: what was typed meanwhile stays. */
  fill(input: string): void {
    if (!this.node.hidden && this._area.value === '') {
      this.open(input);
    }
  }

  /** Another call is looked at. */
  close(): void {
    show(this.node, false);
  }

  private _press(): void {
    const wrong = wrongJson(this._area.value, this._trans);
    setText(this._wrong, wrong);
    if (wrong) {
      this._area.focus();
      return;
    }
    this._fork(this._area.value, failure => {
      setText(this._wrong, failure ?? '');
      show(this.node, failure !== null);
    });
  }

  private _fork: Fork;
  private _trans: TranslationBundle;
  private _area = element('textarea', 'editor');
  private _wrong = element('div', 'wrong');
}

/** What is wrong with a text that should be the input of a fork; empty when nothing is. */
export function wrongJson(input: string, trans: TranslationBundle): string {
  try {
    const read: unknown = JSON.parse(input);
    return typeof read === 'object' && read !== null
      ? ''
      : trans.__(
          'Write a JSON list, the arguments by position, or a JSON object, the arguments by name.'
        );
  } catch (error) {
    return trans.__('This is no JSON: %1', visible((error as Error).message));
  }
}
