/**
 * The plugin.
 *
 * Rules of this file
 * - What is shown loads with the first plugin activation, not with the page.
 */

import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

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

export default plugin;
