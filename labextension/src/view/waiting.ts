/**
 * What stands below a call that waits for a person.
 *
 * Rules of this file
 * - Where the kernel cannot take the answer yet, the buttons are off and say so.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { IControls } from './controls';
import { allow, button, element, show, visible } from './dom';
import { IField, IShownCall, IWaiting } from '../protocol/protocol';
import { waitingText } from './words';

/** Yes, no, or the fields of a form by their names. */
export type Answer = boolean | Record<string, string | number | boolean>;

export class WaitingView {
  constructor(
    controls: IControls,
    answer: (call: IShownCall, given: Answer) => void,
    trans: TranslationBundle
  ) {
    this._controls = controls;
    this._answer = answer;
    this._trans = trans;
  }

  readonly node = element('div', 'waiting');

  render(call: IShownCall): void {
    const { waiting } = call;
    const state = waiting === null ? '' : JSON.stringify([call.id, waiting]);
    show(this.node, waiting !== null);
    if (state !== this._state) {
      this._state = state;
      this._buttons = [];
      this._inputs.clear();
      this.node.replaceChildren(
        ...(waiting === null ? [] : this._parts(call, waiting))
      );
    }
    for (const [node, title] of this._buttons) {
      allow(node, this._refusal(waiting), title);
    }
  }

  private _refusal(waiting: IWaiting | null): string | null {
    return waiting?.answerable === true
      ? this._controls.refusal('answer')
      : this._trans.__('This kernel cannot take answers yet.');
  }

  private _parts(call: IShownCall, waiting: IWaiting): HTMLElement[] {
    const trans = this._trans;
    const said = element('div', '', visible(waitingText(waiting, trans)));
    const line = element('div', 'buttons');
    if (waiting.kind === 'approval') {
      line.append(
        this._add(trans.__('Approve'), trans.__('Let it go on'), () =>
          this._answer(call, true)
        ),
        this._add(trans.__('Reject'), trans.__('The call fails'), () =>
          this._answer(call, false)
        )
      );
      return [said, line];
    }
    const form = waiting.form.map(field => this._field(field));
    line.append(
      this._add(trans.__('Send'), trans.__('Go on with this input'), () =>
        this._answer(call, this._given())
      )
    );
    return [said, ...form, line];
  }

  private _add(label: string, title: string, act: () => void): HTMLElement {
    const made = button(label, 'button', () => {
      if (made.getAttribute('aria-disabled') !== 'true') {
        act();
      }
    });
    this._buttons.push([made, title]);
    return made;
  }

  private _field(field: IField): HTMLElement {
    const input = element('input', 'search');
    input.type = field.type === 'boolean' ? 'checkbox' : field.type;
    this._inputs.set(field.name, input);
    const name = element('span', 'label', visible(field.title || field.name));
    return element('label', 'input', [name, input]);
  }

  private _given(): Record<string, string | number | boolean> {
    const given: [string, string | number | boolean][] = [];
    for (const [name, input] of this._inputs) {
      given.push([
        name,
        input.type === 'checkbox'
          ? input.checked
          : input.type === 'number'
            ? Number(input.value)
            : input.value
      ]);
    }
    return Object.fromEntries(given);
  }

  private _controls: IControls;
  private _answer: (call: IShownCall, given: Answer) => void;
  private _trans: TranslationBundle;
  private _inputs = new Map<string, HTMLInputElement>();
  private _buttons: [HTMLButtonElement, string][] = [];
  private _state = '';
}
