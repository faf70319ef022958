/**
 * The mark of one cell.
 *
 * Rules of this file
 * - Text is text. State is a sign and a word, never a colour alone.
 * - Made once and patched: its button stays the same element, and where it is: it stands before the text, which grows.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import {
  allow,
  button,
  element,
  setAttribute,
  setText,
  show,
  visible
} from '../view/dom';
import { IMarkText } from './model';

/** What stands in a mark. */
export interface IMark extends IMarkText {
  /** Whether executing the cell would go on with the request. */
  resumable: boolean;
  /** Whether that waits for the kernel. */
  queued: boolean;
  /** Why it cannot be done now. */
  refusal: string | null;
}

export class MarkView extends Widget {
  constructor(trans: TranslationBundle, resume: () => void) {
    super();
    this._trans = trans;
    this.addClass('jp-durable-mark');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', trans.__('Durable request'));
    this._sign.setAttribute('aria-hidden', 'true');
    this._resume = button(trans.__('Resume'), 'resume', () => {
      if (this._resume.getAttribute('aria-disabled') !== 'true') {
        resume();
      }
    });
    this._state.append(this._sign, this._text);
    this.node.append(this._resume, this._state);
  }

  render(mark: IMark): void {
    const trans = this._trans;
    setText(this._sign, mark.sign);
    setText(this._text, mark.text);
    setAttribute(this._state, 'data-status', mark.status);
    setAttribute(this._state, 'title', visible(mark.title));
    setText(
      this._resume,
      mark.queued ? trans.__('Queued · withdraw') : trans.__('Resume')
    );
    allow(
      this._resume,
      mark.refusal,
      trans.__('Execute this cell again: what succeeded is reused')
    );
    show(this._resume, mark.resumable || mark.queued);
  }

  private _trans: TranslationBundle;
  private _state = element('span', 'state');
  private _sign = element('span', 'sign');
  private _text = element('span', '');
  private _resume: HTMLButtonElement;
}
