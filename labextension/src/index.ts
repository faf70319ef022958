/**
 * The plugins.
 *
 * Rules of this file
 * - What is shown loads with the first plugin activation, not with the page.
 */

import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IRequests, Requests } from './requests';
import { Server } from './server';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-durable:plugin',
  description: 'Shows durable requests under their cells.',
  autoStart: true,
  optional: [ITranslator],
  activate: async (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const { NotebookExtension } = await import('./renderer');
    app.docRegistry.addWidgetExtension(
      'Notebook',
      new NotebookExtension(translator ?? nullTranslator)
    );
  }
};

const requests: JupyterFrontEndPlugin<IRequests> = {
  id: 'jupyter-durable:requests',
  description: 'Knows the durable requests of all stores of the server.',
  optional: [ITranslator],
  provides: IRequests,
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('jupyter_durable');
    return new Requests(new Server(app.serviceManager.serverSettings, trans));
  }
};

export default [plugin, requests];
