/**
 * The controls that are not needed every day.
 *
 * Rules of this file
 * - The keys of the menu pattern of the ARIA practices; the menu closes when the focus leaves it.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { IControls, IWish, Verb } from './controls';
import { allow, button, element, show } from './dom';

/** What the menu asks its view to do. */
export interface IMenuActions {
  replay(wish: IWish): void;
  runCell(): void;
  copyId(): void;
}

/** What decides which entries there are. */
export interface IMenuState {
  /** Functions whose code differs from the recorded one. */
  changed: string[];
  /** Whether it succeeded and stands under its cell: running that again is no replay. */
  over: boolean;
}

interface IEntry {
  shown?: (state: IMenuState) => boolean;
  verb: Verb | null;
  label: string;
  title: string;
  act: () => void;
}

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
    this._menu.hidden = true;
    this._menu.addEventListener('keydown', event => this._keydown(event));
    this._menu.addEventListener('focusout', event => {
      if (!this._menu.contains(event.relatedTarget as Node | null)) {
        this._menu.hidden = true;
      }
    });
    for (const entry of entries(actions, trans)) {
      this._add(entry);
    }
    this.node = element('span', 'anchor', [this._more, this._menu]);
  }

  readonly node: HTMLElement;

  render(state: IMenuState): void {
    for (const [node, { verb, title, shown }] of this._entries) {
      show(node, shown === undefined || shown(state));
      allow(node, verb === null ? null : this._controls.refusal(verb), title);
    }
  }

  private _add(entry: IEntry): void {
    const { verb, label, act } = entry;
    const node = button(label, 'entry', () => {
      if (verb === null || this._controls.refusal(verb) === null) {
        this._menu.hidden = true;
        act();
      }
    });
    node.setAttribute('role', 'menuitem');
    this._menu.append(node);
    this._entries.push([node, entry]);
  }

  private _toggle(): void {
    this._menu.hidden = !this._menu.hidden;
    if (!this._menu.hidden) {
      this._shown()[0].focus();
    }
  }

  private _shown(): HTMLButtonElement[] {
    return this._entries.map(([node]) => node).filter(node => !node.hidden);
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
      this._menu.hidden = true;
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
  private _entries: [HTMLButtonElement, IEntry][] = [];
}

function entries(actions: IMenuActions, trans: TranslationBundle): IEntry[] {
  const replay = (label: string, title: string, wish: IWish): IEntry => ({
    verb: 'replay',
    label,
    title,
    act: () => actions.replay(wish)
  });
  return [
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
      shown: state => state.changed.length > 0
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
      title: trans.__(
        'This request succeeded, so its cell starts a new one. “Replay” goes on with this one.'
      ),
      act: () => actions.runCell(),
      shown: state => state.over
    },
    {
      verb: null,
      label: trans.__('Copy request id'),
      title: trans.__('For get_request("…") and %durable'),
      act: () => actions.copyId()
    }
  ];
}
