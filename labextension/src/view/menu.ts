/**
 * The controls that are not needed every day.
 *
 * Rules of this file
 * - The keys of the menu pattern of the ARIA practices; the menu closes when the focus leaves it.
 * - Each entry says in a line what it does, or why it cannot be done now.
 * - It stands above the page (a popover), so that no output that is small or scrolls cuts it off, at any width.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { IControls, IWish, offered, Verb } from './controls';
import { allow, button, element, setStyle, setText, show } from './dom';

/** What the menu asks its view to do. */
export interface IMenuActions {
  replay(wish: IWish): void;
  preview(): void;
  runCell(): void;
  copyId(): void;
}

/** What decides which entries there are. */
export interface IMenuState {
  /** Functions whose code differs from the recorded one. */
  changed: string[];
  /** Whether it succeeded and stands under its cell: running that again is no replay. */
  over: boolean;
  /** Whether it can be run again now. */
  ended: boolean;
}

interface IEntry {
  shown?: (state: IMenuState) => boolean;
  verb: Verb | null;
  /** Whether it is about some calls only. */
  some?: boolean;
  label: string;
  /** What it does, in a line. */
  told: string;
  act: () => void;
}

/** What an entry is made of. */
interface IParts {
  node: HTMLButtonElement;
  told: HTMLElement;
  entry: IEntry;
}

const EDGE = 8;
const BELOW = 2;

export class MenuView {
  constructor(
    controls: IControls,
    actions: IMenuActions,
    trans: TranslationBundle
  ) {
    this._controls = controls;
    this._more = button('⋯', 'button', () => this._toggle());
    this._more.setAttribute('aria-label', trans.__('More'));
    this._more.setAttribute('aria-haspopup', 'menu');
    this._menu.setAttribute('role', 'menu');
    this._menu.setAttribute('popover', 'manual');
    this._menu.hidden = true;
    this._menu.addEventListener('keydown', event => this._keydown(event));
    this._menu.addEventListener('focusout', event => {
      if (!this._menu.contains(event.relatedTarget as Node | null)) {
        this._close();
      }
    });
    for (const entry of entries(actions, trans)) {
      this._add(entry);
    }
    this.node = element('span', 'anchor', [this._more, this._menu]);
  }

  readonly node: HTMLElement;

  render(state: IMenuState): void {
    for (const { node, told, entry } of this._entries) {
      const { verb, shown } = entry;
      const refusal = verb === null ? null : this._controls.refusal(verb);
      const there = offered(this._controls, verb, entry.some);
      show(node, there && (shown === undefined || shown(state)));
      allow(node, refusal, '');
      setText(told, refusal ?? entry.told);
    }
  }

  private _add(entry: IEntry): void {
    const { verb, label, act } = entry;
    const node = button('', 'entry', () => {
      if (verb === null || this._controls.refusal(verb) === null) {
        this._close();
        act();
      }
    });
    const told = element('span', 'entry-told', entry.told);
    node.append(element('span', 'entry-label', label), told);
    node.setAttribute('role', 'menuitem');
    this._menu.append(node);
    this._entries.push({ node, told, entry });
  }

  private _toggle(): void {
    if (this._menu.hidden) {
      this._open();
    } else {
      this._close();
    }
  }

  private _open(): void {
    const menu = this._menu;
    menu.hidden = false;
    menu.showPopover?.();
    this._place();
    this._more.setAttribute('aria-expanded', 'true');
    for (const event of ['scroll', 'resize']) {
      window.addEventListener(event, this._onMoved, true);
    }
    this._shown()[0].focus({ preventScroll: true });
  }

  private _close(): void {
    if (this._menu.hidden) {
      return;
    }
    for (const event of ['scroll', 'resize']) {
      window.removeEventListener(event, this._onMoved, true);
    }
    this._menu.hidden = true;
    this._menu.hidePopover?.();
    this._more.setAttribute('aria-expanded', 'false');
  }

  /** Under its button, or above it where there is more room, and always within the window. */
  private _place(): void {
    const anchor = this._more.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this._menu;
    const room = window.innerHeight - anchor.bottom - BELOW - EDGE;
    const above = height > room && anchor.top > room;
    const top = above ? anchor.top - BELOW - height : anchor.bottom + BELOW;
    const left = Math.min(
      anchor.right - width,
      window.innerWidth - width - EDGE
    );
    setStyle(this._menu, 'left', `${Math.max(EDGE, left)}px`);
    setStyle(this._menu, 'top', `${Math.max(EDGE, top)}px`);
  }

  private _shown(): HTMLButtonElement[] {
    return this._entries.map(({ node }) => node).filter(node => !node.hidden);
  }

  private _keydown(event: KeyboardEvent): void {
    const items = this._shown();
    const at = items.indexOf(event.target as HTMLButtonElement);
    const to: Record<string, number> = {
      ArrowDown: (at + 1) % items.length,
      ArrowUp: (at - 1 + items.length) % items.length,
      Home: 0,
      End: items.length - 1
    };
    if (event.key === 'Escape') {
      this._more.focus();
      this._close();
    } else if (event.key in to) {
      items[to[event.key]].focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private _controls: IControls;
  private _more: HTMLButtonElement;
  private _menu = element('div', 'menu');
  private _entries: IParts[] = [];
  private _onMoved = (event: Event): void => {
    if (event.target !== this._menu) {
      this._close();
    }
  };
}

function entries(actions: IMenuActions, trans: TranslationBundle): IEntry[] {
  const replay = (label: string, told: string, wish: IWish): IEntry => ({
    verb: 'replay',
    some: wish.rerun !== undefined,
    label,
    told,
    act: () => actions.replay(wish),
    shown: state => state.ended
  });
  return [
    {
      verb: 'preview',
      label: trans.__('Preview'),
      told: trans.__('What a replay would reuse and execute; runs nothing'),
      act: () => actions.preview(),
      shown: state => state.ended
    },
    replay(
      trans.__('Replay recorded code'),
      trans.__('With the code this request ran with'),
      {}
    ),
    {
      ...replay(
        trans.__('Replay with latest code'),
        trans.__('With the functions as they are defined now'),
        { latest: true }
      ),
      shown: state => state.ended && state.changed.length > 0
    },
    replay(
      trans.__('Re-run what changed'),
      trans.__('Calls whose code or arguments changed execute again'),
      { rerun: 'changed' }
    ),
    replay(
      trans.__('Strict replay'),
      trans.__('Fails when the code goes another way than recorded'),
      { strict: true }
    ),
    {
      verb: 'replay',
      label: trans.__('Run the cell again'),
      told: trans.__(
        'This request succeeded, so its cell starts a new one. “Replay” goes on with this one.'
      ),
      act: () => actions.runCell(),
      shown: state => state.ended && state.over
    },
    {
      verb: null,
      label: trans.__('Copy request id'),
      told: trans.__('For get_request("…") and %durable'),
      act: () => actions.copyId()
    }
  ];
}
