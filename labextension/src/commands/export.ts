/**
 * `durable:export`: the applications of a notebook as a project.
 *
 * Rules of this file
 * - What goes in is the notebook as it is in the page, saved or not; the kernel reads it and runs none of it.
 * - Nothing is written before the user has seen what.
 */

import { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { readExported } from '../protocol/exported';
import { askKernel, IControlKernel } from '../requests/channel';
import { load } from '../requests/extension';
import { element, visible } from '../view/dom';
import { ExportForm, IExportWish } from '../view/export';
import { thousands } from '../view/words';

export const EXPORT = 'durable:export';

/** It may resolve versions of packages. */
const WRITING_MILLISECONDS = 120000;

const ARGUMENTS = {
  type: 'object',
  properties: {
    path: {
      type: 'string',
      description: 'Path of an open notebook; the current one when left out'
    },
    application: {
      type: 'string',
      description: 'The application that is chosen at first; all when left out'
    }
  }
} as const;

export function addExport(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  palette: ICommandPalette | null,
  trans: TranslationBundle
): void {
  const caption = trans.__(
    'Write a project that runs the applications of this notebook'
  );
  const panelOf = (args: ReadonlyPartialJSONObject) =>
    typeof args.path === 'string'
      ? (tracker.find(panel => panel.context.path === args.path) ?? null)
      : tracker.currentWidget;
  const refusal = (args: ReadonlyPartialJSONObject) => {
    const panel = panelOf(args);
    return panel === null
      ? trans.__('Open a notebook first.')
      : kernelOf(panel) === null
        ? trans.__('No kernel: start one to do this.')
        : null;
  };
  app.commands.addCommand(EXPORT, {
    label: trans.__('Export Applications…'),
    caption: args => refusal(args) ?? caption,
    usage: caption,
    describedBy: { args: ARGUMENTS },
    isEnabled: args => refusal(args) === null,
    execute: async args => {
      const panel = panelOf(args);
      if (panel === null || refusal(args) !== null) {
        Notification.warning(refusal(args) ?? '', { autoClose: 5000 });
        return;
      }
      const { application } = args;
      const apps = typeof application === 'string' ? [application] : [];
      await new Exporting(panel, trans).run(apps).catch((error: Error) => {
        const said = trans.__('Export: %1', visible(error.message));
        Notification.error(said, { autoClose: false });
      });
    }
  });
  const tell = () => app.commands.notifyCommandChanged(EXPORT);
  tracker.currentChanged.connect(tell);
  palette?.addItem({ command: EXPORT, category: trans.__('Durable') });
}

/** The export of one notebook. */
class Exporting {
  constructor(panel: NotebookPanel, trans: TranslationBundle) {
    this._panel = panel;
    this._trans = trans;
  }

  /** Ask until it is written, or not wanted any more. */
  async run(apps: string[]): Promise<void> {
    const kernel = kernelOf(this._panel);
    if (kernel === null) {
      throw new Error(this._trans.__('the notebook has no kernel'));
    }
    await load(kernel, '', null, this._trans);
    const name = PathExt.basename(this._panel.context.path, '.ipynb');
    let wish: Partial<IExportWish> = { apps, directory: `${name}-app` };
    let failure = '';
    for (;;) {
      const wanted = await this._asked(wish, failure);
      if (wanted === null) {
        return;
      }
      try {
        const written = readExported(await this._ask('write', wanted));
        this._tell(written.files.length, written.folder);
        return;
      } catch (error) {
        wish = wanted;
        failure = error instanceof Error ? error.message : String(error);
      }
    }
  }

  private async _asked(
    wish: Partial<IExportWish>,
    failure: string
  ): Promise<IExportWish | null> {
    const trans = this._trans;
    const form = new ExportForm(wish, asked => this._ask('look', asked), trans);
    const body = new Widget({
      node: element('div', 'dialog export-dialog', [form.node])
    });
    form.ready = possible => {
      const button = body.node
        .closest('.jp-Dialog')
        ?.querySelector<HTMLButtonElement>('button.jp-mod-accept');
      if (button) {
        button.disabled = !possible;
      }
    };
    if (failure) {
      form.failed(failure);
    }
    const { button } = await showDialog({
      title: trans.__('Export Applications'),
      body,
      buttons: [
        Dialog.cancelButton(),
        Dialog.okButton({ label: trans.__('Export') })
      ]
    }).finally(() => form.dispose());
    return button.accept ? form.wish : null;
  }

  private _ask(what: 'look' | 'write', wish: IExportWish): Promise<unknown> {
    const kernel = kernelOf(this._panel);
    if (kernel === null) {
      return Promise.reject(
        new Error(this._trans.__('the notebook has no kernel any more'))
      );
    }
    const content = {
      op: 'export',
      write: what === 'write',
      cells: cellsOf(this._panel),
      ...wish
    };
    return askKernel(
      kernel as unknown as IControlKernel,
      content,
      this._trans,
      WRITING_MILLISECONDS
    );
  }

  private _tell(count: number, folder: string): void {
    const trans = this._trans;
    const files = trans._n('%1 file', '%1 files', count, thousands(count));
    const said = trans.__('Exported: %1 in %2', files, visible(folder));
    Notification.success(said, { autoClose: false });
  }

  private _panel: NotebookPanel;
  private _trans: TranslationBundle;
}

function kernelOf(panel: NotebookPanel): Kernel.IKernelConnection | null {
  return panel.sessionContext.session?.kernel ?? null;
}

/** The notebook as the page has it. */
function cellsOf(panel: NotebookPanel) {
  return panel.content.widgets.map(({ model }) => ({
    id: model.id,
    kind: model.type,
    source: model.sharedModel.getSource(),
    tags: (model.getMetadata('tags') as string[] | undefined) ?? []
  }));
}
