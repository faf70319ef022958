/**
 * The way in: a token, entered once.
 *
 * Rules of this file
 * - The token goes to the server and is kept nowhere here, not even in the field.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { button, element, setText, show, visible } from '../view/dom';
import { PageServer } from './server';

export class LoginView {
  constructor(server: PageServer, done: () => void, trans: TranslationBundle) {
    this._server = server;
    this._done = done;
    this._trans = trans;
    this._field.type = 'password';
    this._field.autocomplete = 'current-password';
    this._field.id = 'jp-durable-token';
    this._field.spellcheck = false;
    const label = element('label', 'login-label', trans.__('Token'));
    label.htmlFor = this._field.id;
    const go = button(trans.__('Log in'), 'login-button', () => undefined);
    go.type = 'submit';
    this._message.setAttribute('role', 'alert');
    this.node = element('form', 'login', [
      element('h1', 'login-title', trans.__('Durable requests')),
      this._note,
      label,
      this._field,
      this._message,
      go,
      element('p', 'login-hint', [
        trans.__('Whoever runs this server makes one:'),
        element(
          'code',
          'site-code',
          'jupyter durable token create --scope read'
        )
      ])
    ]);
    this.node.addEventListener('submit', event => {
      event.preventDefault();
      void this._enter();
    });
    this._say('');
  }

  readonly node: HTMLFormElement;

  /** Ask for a token, with a word on why. */
  open(note: string): void {
    setText(this._note, note);
    show(this._note, note !== '');
    this._say('');
    this._field.focus();
  }

  private async _enter(): Promise<void> {
    const token = this._field.value.trim();
    if (token === '') {
      this._say(this._trans.__('Enter a token.'));
      this._field.focus();
      return;
    }
    try {
      await this._server.post('session', { token });
      this._field.value = '';
      this._done();
    } catch (error) {
      this._say((error as Error).message);
      this._field.select();
    }
  }

  private _say(text: string): void {
    setText(this._message, visible(text));
    show(this._message, text !== '');
    this._field.setAttribute('aria-invalid', String(text !== ''));
  }

  private _server: PageServer;
  private _done: () => void;
  private _trans: TranslationBundle;
  private _field = element('input', 'login-field');
  private _message = element('p', 'login-message');
  private _note = element('p', 'login-note');
}
