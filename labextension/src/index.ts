/**
 * The plugins.
 *
 * Rules of this file
 * - What is shown loads with the first plugin activation, not with the page.
 * - Only the notebook itself is required: each plugin does what it can in JupyterLab and in Notebook 7.
 */

import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { panel } from './panel/plugin';
import { IRequests, Requests } from './requests/requests';
import { Server } from './requests/server';
import { IDurablePreferences, Preferences, SETTINGS_ID } from './settings';
import { IDurableSightings, Sightings } from './requests/sightings';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-durable:plugin',
  description: 'Shows durable requests under their cells.',
  autoStart: true,
  requires: [IDurablePreferences],
  optional: [ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    preferences: Preferences,
    translator: ITranslator | null
  ) => {
    const { NotebookExtension } = await import('./notebook/renderer');
    const given = translator ?? nullTranslator;
    app.docRegistry.addWidgetExtension(
      'Notebook',
      new NotebookExtension(given, preferences)
    );
  }
};

const settings: JupyterFrontEndPlugin<Preferences> = {
  id: 'jupyter-durable:settings',
  description: 'What the user prefers of durable requests on the page.',
  autoStart: true,
  provides: IDurablePreferences,
  optional: [ISettingRegistry],
  activate: (app: JupyterFrontEnd, registry: ISettingRegistry | null) => {
    const preferences = new Preferences();
    if (registry !== null) {
      void app.restored
        .then(() => registry.load(SETTINGS_ID))
        .then(found => preferences.follow(found));
    }
    return preferences;
  }
};

const requests: JupyterFrontEndPlugin<IRequests> = {
  id: 'jupyter-durable:requests',
  description: 'Knows the durable requests of all stores of the server.',
  requires: [IDurablePreferences],
  optional: [ITranslator],
  provides: IRequests,
  activate: (
    app: JupyterFrontEnd,
    preferences: Preferences,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_durable');
    const { serverSettings } = app.serviceManager;
    const made = new Requests(new Server(serverSettings, trans));
    preferences.changed.connect((_, now) => made.pace(now.polling));
    return made;
  }
};

const marks: JupyterFrontEndPlugin<Sightings> = {
  id: 'jupyter-durable:marks',
  description: 'Marks the cells that own a durable request.',
  autoStart: true,
  requires: [IDurablePreferences],
  optional: [ITranslator],
  provides: IDurableSightings,
  activate: async (
    app: JupyterFrontEnd,
    preferences: Preferences,
    given: ITranslator | null
  ) => {
    const { MarksExtension } = await import('./marks/marks');
    const sightings = new Sightings();
    const translator = given ?? nullTranslator;
    app.docRegistry.addWidgetExtension(
      'Notebook',
      new MarksExtension({ translator, preferences, sightings })
    );
    return sightings;
  }
};

const status: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-durable:status',
  description: 'Shows in the status bar how many durable requests run.',
  autoStart: true,
  requires: [IRequests, IDurableSightings],
  optional: [IStatusBar, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    requests: IRequests,
    sightings: Sightings,
    bar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (bar !== null) {
      const { addStatus, askWhenSeen } = await import('./status');
      const trans = (translator ?? nullTranslator).load('jupyter_durable');
      addStatus(app, bar, requests, trans);
      askWhenSeen(sightings, requests);
    }
  }
};

const notifications: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-durable:notifications',
  description: 'Tells when a long durable request ends that is not in sight.',
  autoStart: true,
  requires: [IDurablePreferences, IRequests, IDurableSightings],
  optional: [INotebookTracker, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    preferences: Preferences,
    requests: IRequests,
    sightings: Sightings,
    tracker: INotebookTracker | null,
    given: ITranslator | null
  ) => {
    const { Notifications } = await import('./notifications/notifications');
    const translator = given ?? nullTranslator;
    new Notifications({ app, tracker, translator, preferences }).follow(
      sightings,
      requests
    );
  }
};

const commands: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-durable:commands',
  description: 'Commands for the durable request of a cell.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator, ICommandPalette],
  activate: async (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ) => {
    const given = translator ?? nullTranslator;
    const { RequestCommands } = await import('./commands/commands');
    const { addToggleOnce } = await import('./commands/once');
    new RequestCommands(app, tracker, given).add(palette);
    const { addExport } = await import('./commands/export');
    const trans = given.load('jupyter_durable');
    addToggleOnce(app, tracker, palette, trans);
    addExport(app, tracker, palette, trans);
  }
};

export default [
  settings,
  plugin,
  requests,
  panel,
  marks,
  commands,
  status,
  notifications
];
