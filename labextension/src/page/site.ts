/**
 * The server's own page: the list of requests, and one of them beside it, or in its place where there is no room.
 *
 * Rules of this file
 * - The address says which request is open, so that it can be sent to a colleague, and Back goes back.
 * - Who is logged out, and a server that is away, are told once, above all the rest.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { IAction } from '../panel/actions';
import { ListView } from '../panel/list';
import { underway } from '../requests/live';
import { IListed, Requests } from '../requests/requests';
import {
  button,
  element,
  setAttribute,
  setText,
  show,
  visible
} from '../view/dom';
import { LoginView } from './login';
import { Away, LoggedOut, PageServer } from './server';
import { SingleView } from './single';

const AWAY_MILLISECONDS = 2000;
const ADDRESS = /^#(req_[0-9a-f]{1,64})$/;

/** Who is logged in. */
interface IMe {
  namespace: string;
  scope: string;
}

export class Site {
  constructor(trans: TranslationBundle) {
    this._trans = trans;
    this._server = new PageServer(trans);
    this._login = new LoginView(this._server, () => void this._enter(), trans);
    this._server.loggedOut = () =>
      this._leave(trans.__('Your session is over: log in again.'));
    this._server.away = away => this._onAway(away);
    this._banner.setAttribute('role', 'alert');
    show(this._banner, false);
    this.node = element('div', 'site', [this._banner, this._head, this._main]);
    window.addEventListener('hashchange', () => this._open());
  }

  readonly node: HTMLElement;

  /** Show what there is to see, or ask who it is. */
  begin(): void {
    void this._enter('');
  }

  private async _enter(note = ''): Promise<void> {
    try {
      const me = (await this._server.get('me')) as Partial<IMe> | null;
      if (typeof me?.scope === 'string') {
        this._show({ namespace: String(me.namespace), scope: me.scope });
      } else {
        this._leave(note);
      }
    } catch (error) {
      if (!(error instanceof Away)) {
        this._tell((error as Error).message);
      }
    }
  }

  private _show(me: IMe): void {
    const trans = this._trans;
    this._me = me;
    this._end();
    const requests = (this._requests = new Requests(this._server));
    this._list = new ListView(
      requests,
      {
        open: one => this._go(one.id),
        menu: () => undefined,
        first: one => this._first(one)
      },
      trans
    );
    const away = button(trans.__('Log out'), 'entries-button', () =>
      this._logOut()
    );
    const only = element('span', 'site-scope', trans.__('read only'));
    show(only, !this._mayAct);
    this._head.replaceChildren(
      element('b', 'site-name', trans.__('Durable requests')),
      element('span', 'site-namespace', visible(me.namespace)),
      only,
      away
    );
    this._aside.replaceChildren(this._list.node);
    this._main.replaceChildren(this._aside, this._place);
    requests.changed.connect(() => {
      this._invite();
      this._markOpen();
    });
    requests.start();
    this._open();
  }

  private get _mayAct(): boolean {
    return this._me !== null && this._me.scope !== 'read';
  }

  private _first(one: IListed): IAction | null {
    if (!this._mayAct || !underway(one.status)) {
      return null;
    }
    const label = this._trans.__('Cancel');
    const act = () =>
      void this._server
        .post(`requests/${one.id}/cancel`)
        .catch((error: Error) => this._tell(error.message))
        .finally(() => void this._requests?.refresh());
    return { id: 'cancel', label, refusal: null, act };
  }

  private _go(id: string): void {
    window.location.hash = id;
  }

  /** Show the request that the address names. */
  private _open(): void {
    const id = ADDRESS.exec(window.location.hash)?.[1] ?? '';
    if (this._requests === null) {
      return;
    }
    this.node.classList.toggle('jp-durable-site-one', id !== '');
    if (id === this._single?.id) {
      return;
    }
    this._single?.dispose();
    this._single = null;
    document.title = this._trans.__('Durable requests');
    if (id === '') {
      this._invite();
      this._markOpen();
      return;
    }
    this._single = new SingleView(
      { id },
      {
        server: this._server,
        mayAct: this._mayAct,
        trans: this._trans,
        acted: () => void this._requests?.refresh(),
        back: () => this._go('')
      }
    );
    this._place.replaceChildren(this._single.node);
    this._markOpen();
  }

  /** In the list the request that is open is seen as such. */
  private _markOpen(): void {
    const rows = this._aside.querySelectorAll<HTMLElement>('[data-request]');
    rows.forEach(row => {
      const open = row.dataset.request === this._single?.id;
      setAttribute(row, 'aria-selected', open ? 'true' : null);
    });
  }

  /** What stands where no request is shown: what to do. */
  private _invite(): void {
    const { list, known } = this._requests ?? { list: [], known: false };
    if (this._single !== null) {
      return;
    }
    const trans = this._trans;
    const none = known && list.length === 0;
    const lines = none
      ? [
          trans.__('To keep the requests of a notebook here, run in it:'),
          element(
            'code',
            'site-code',
            `%durable store ${window.location.origin}`
          )
        ]
      : [trans.__('Choose a request to see its calls.')];
    this._place.replaceChildren(element('div', 'site-invite', lines));
  }

  private _logOut(): void {
    const gone = () => this._leave(this._trans.__('You are logged out.'));
    this._server.ask('session', { method: 'DELETE' }).then(gone, error => {
      if (!(error instanceof LoggedOut)) {
        this._tell((error as Error).message);
      }
    });
  }

  /** Nothing of what was seen stays on the page. */
  private _leave(note: string): void {
    this._end();
    this._me = null;
    this._head.replaceChildren();
    this._main.replaceChildren(this._login.node);
    this.node.classList.remove('jp-durable-site-one');
    document.title = this._trans.__('Durable requests');
    this._login.open(note);
  }

  private _end(): void {
    this._single?.dispose();
    this._single = null;
    this._list?.dispose();
    this._list = null;
    this._requests?.dispose();
    this._requests = null;
    this._place.replaceChildren();
  }

  private _onAway(away: boolean): void {
    show(this._banner, away);
    if (!away) {
      this._single?.nudge();
      void this._requests?.refresh();
      return;
    }
    this._tell(
      this._trans.__(
        'The server does not answer. What is shown is what was seen last; this page asks again by itself.'
      )
    );
    const again = () => {
      const back = this._me === null ? this._enter() : this._server.get('me');
      Promise.resolve(back).catch(() => undefined);
      if (!this._banner.hidden) {
        window.setTimeout(again, AWAY_MILLISECONDS);
      }
    };
    window.setTimeout(again, AWAY_MILLISECONDS);
  }

  private _tell(text: string): void {
    setText(this._banner, visible(text));
    show(this._banner, true);
  }

  private _trans: TranslationBundle;
  private _server: PageServer;
  private _login: LoginView;
  private _requests: Requests | null = null;
  private _list: ListView | null = null;
  private _single: SingleView | null = null;
  private _me: IMe | null = null;
  private _banner = element('div', 'site-banner');
  private _head = element('header', 'site-head');
  private _aside = element('nav', 'requests');
  private _place = element('section', 'site-place');
  private _main = element('main', 'site-main');
}
