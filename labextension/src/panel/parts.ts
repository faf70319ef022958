/**
 * The side panel, the tabs and their commands in the shell of JupyterLab or Notebook 7.
 *
 * Rules of this file
 * - Every part of the shell is optional; what is not there is left out.
 */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { NotebookActions } from '@jupyterlab/notebook';
import { ITranslator } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { IListed, readOne, Requests } from '../requests/requests';
import { Server } from '../requests/server';
import { Preferences } from '../settings';
import { Actions } from './actions';
import { Notebooks } from './notebooks';
import { RequestsPanel } from './panel';
import { IPlaces } from './places';
import { RequestTab } from './tab';

const SHOW = 'durable:show-panel';
const OPEN = 'durable:open-request';
const EXPORT = 'durable:export';
const RANK = 550;
/** So long after its cell a request has begun. */
const BEGUN_MILLISECONDS = 700;

type Tab = MainAreaWidget<RequestTab>;

export class Parts {
  constructor(
    app: JupyterFrontEnd,
    preferences: Preferences,
    translator: ITranslator,
    places: IPlaces
  ) {
    const trans = translator.load('jupyter_durable');
    this._app = app;
    this._preferences = preferences;
    this._places = places;
    this._trans = trans;
    this._server = new Server(app.serviceManager.serverSettings, trans);
    this._requests = new Requests(this._server);
    this._notebooks = new Notebooks(app, places, translator);
    const open = (one: IListed) => this.open(one);
    const { commands } = app;
    this._actions = new Actions(
      this._server,
      this._requests,
      this._notebooks,
      {
        tab: open,
        export: ({ path, application }) =>
          commands.execute(EXPORT, { path, application })
      },
      trans
    );
    this.panel = new RequestsPanel(
      this._requests,
      this._actions,
      { tab: open, export: () => void commands.execute(EXPORT) },
      trans
    );
  }

  readonly panel: RequestsPanel;

  readonly tabs = new WidgetTracker<Tab>({ namespace: 'durable-request' });

  /** Show a request in a tab; the one it has already, if it has. */
  open(one: IListed): void {
    const known = this.tabs.find(tab => tab.content.one.id === one.id);
    const tab = known ?? this._tab(one);
    if (!tab.isAttached) {
      const area = this._places.lab === null ? 'right' : 'main';
      this._app.shell.add(tab, area, {
        type: this._trans.__('Durable Request')
      });
    }
    this._app.shell.activateById(tab.id);
  }

  add(): void {
    const { restorer, palette } = this._places;
    this._app.shell.add(this.panel, 'left', {
      rank: RANK,
      type: this._trans.__('Durable')
    });
    this._commands();
    NotebookActions.executionScheduled.connect(() => {
      window.setTimeout(() => this._requests.nudge(), BEGUN_MILLISECONDS);
    });
    NotebookActions.executed.connect(() => this._requests.nudge());
    palette?.addItem({ command: SHOW, category: this._trans.__('Durable') });
    restorer?.add(this.panel, this.panel.id);
    if (restorer) {
      void restorer.restore(this.tabs, {
        command: OPEN,
        args: tab => ({
          request: tab.content.one.id,
          store: tab.content.one.store
        }),
        name: tab => tab.content.one.id
      });
    }
  }

  private _tab(one: IListed): Tab {
    const { server, requests, notebooks, actions, trans } = {
      server: this._server,
      requests: this._requests,
      notebooks: this._notebooks,
      actions: this._actions,
      trans: this._trans
    };
    const content = new RequestTab(
      one,
      { server, requests, notebooks, actions, trans },
      this._preferences.now.timeline
    );
    const tab = new MainAreaWidget({ content });
    tab.id = `jp-durable-tab-${one.id}`;
    tab.title.icon = historyIcon;
    tab.title.closable = true;
    tab.toolbar.hide();
    void this.tabs.add(tab);
    return tab;
  }

  private _commands(): void {
    const { commands, shell } = this._app;
    const trans = this._trans;
    commands.addCommand(SHOW, {
      label: trans.__('Show Durable Requests'),
      caption: trans.__('Requests of all notebooks, with those that run first'),
      describedBy: { args: {} },
      execute: () => shell.activateById(this.panel.id)
    });
    commands.addCommand(OPEN, {
      label: trans.__('Open Durable Request'),
      caption: trans.__('A request as a tab, also with no kernel alive'),
      describedBy: { args: ARGUMENTS },
      execute: args => this._openById(args)
    });
  }

  private _openById(args: ReadonlyPartialJSONObject): void {
    const given = { id: args.request, store: args.store };
    const one = readOne(given);
    if (/^req_[0-9a-f]+$/.test(one.id)) {
      this.open(one);
    }
  }

  private _app: JupyterFrontEnd;
  private _preferences: Preferences;
  private _places: IPlaces;
  private _trans: ReturnType<ITranslator['load']>;
  private _server: Server;
  private _requests: Requests;
  private _notebooks: Notebooks;
  private _actions: Actions;
}

const ARGUMENTS = {
  type: 'object',
  required: ['request'],
  properties: {
    request: { type: 'string', description: 'Id of the request' },
    store: {
      type: 'string',
      description: 'Which store holds it; whichever has it when left out'
    }
  }
} as const;
