/**
 * The plugin of the side panel and the tabs.
 *
 * Rules of this file
 * - Every part of the shell is optional, so that Notebook 7 has what it has a place for.
 */

import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IDurablePreferences, Preferences } from '../settings';

export const panel: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-durable:panel',
  description: 'Lists the requests of all notebooks, and shows each in a tab.',
  autoStart: true,
  requires: [IDurablePreferences],
  optional: [
    ITranslator,
    IDocumentManager,
    INotebookTracker,
    ILabShell,
    ILayoutRestorer,
    ICommandPalette
  ],
  // eslint-disable-next-line max-params -- one for each token, as the application passes them
  activate: async (
    app: JupyterFrontEnd,
    preferences: Preferences,
    translator: ITranslator | null,
    documents: IDocumentManager | null,
    notebooks: INotebookTracker | null,
    lab: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ) => {
    const { Parts } = await import('./parts');
    const places = { documents, notebooks, lab, restorer, palette };
    new Parts(app, preferences, translator ?? nullTranslator, places).add();
  }
};
