/**
 * The side panel.
 *
 * Rules of this file
 * - It asks the server only while it is in sight.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Message } from '@lumino/messaging';
import { Menu, Widget } from '@lumino/widgets';
import { IListed, Requests } from '../requests/requests';
import { Actions, IAction } from './actions';
import { ListView } from './list';

export const PANEL_ID = 'jp-durable-requests';

export class RequestsPanel extends Widget {
  constructor(
    requests: Requests,
    actions: Actions,
    acts: { tab: (one: IListed) => void; export: () => void },
    trans: TranslationBundle
  ) {
    super();
    this.id = PANEL_ID;
    this.title.icon = historyIcon;
    this.title.caption = trans.__('Durable requests');
    this.addClass('jp-durable-requests');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Durable requests'));
    this._requests = requests;
    this._actions = actions;
    this._list = new ListView(
      requests,
      {
        open: acts.tab,
        export: acts.export,
        first: one => actions.first(one),
        menu: (one, x, y) => this._menu(one, x, y)
      },
      trans
    );
    this.node.append(this._list.node);
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._list.dispose();
    }
    super.dispose();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._watch(true);
  }

  protected onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this._watch(false);
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._watch(this.isVisible);
  }

  protected onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this._watch(false);
  }

  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._list.focus();
  }

  private _watch(shown: boolean): void {
    if (shown !== this._watching) {
      this._watching = shown;
      if (shown) {
        this._requests.start();
      } else {
        this._requests.stop();
      }
    }
  }

  private _menu(one: IListed, x: number, y: number): void {
    const commands = new CommandRegistry();
    const menu = new Menu({ commands });
    for (const action of this._actions.of(one)) {
      add(commands, action);
      menu.addItem({ command: action.id });
      if (['go', 'replay'].includes(action.id)) {
        menu.addItem({ type: 'separator' });
      }
    }
    menu.addClass('jp-durable-actions');
    menu.aboutToClose.connect(() => {
      window.setTimeout(() => menu.dispose());
    });
    menu.open(x, y);
  }

  private _requests: Requests;
  private _actions: Actions;
  private _list: ListView;
  private _watching = false;
}

function add(commands: CommandRegistry, action: IAction): void {
  commands.addCommand(action.id, {
    label: action.label,
    caption: action.refusal ?? '',
    describedBy: { args: {} },
    isEnabled: () => action.refusal === null,
    execute: () => action.act()
  });
}
