/**
 * Going on with the request of a cell, by executing that cell.
 *
 * Rules of this file
 * - The request is named: the kernel is told its id before the cell runs, and refuses what it cannot go on with. Never
 *   does another one begin in its place without a word.
 * - A kernel without the extension gets it first. Where names are missing nothing runs until the user has chosen.
 * - Cells above that own requests go on with them, too: nothing is paid twice for coming back.
 */

import { CodeCell } from '@jupyterlab/cells';
import { NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { ownedRequest } from '../marks/model';
import { readResumed } from '../protocol/answers';
import { load } from '../requests/extension';
import { Asking, askingOf } from './asking';
import { askHow } from './offer';

export class Resuming {
  constructor(panel: NotebookPanel, translator: ITranslator) {
    this._panel = panel;
    this._translator = translator;
    this._trans = translator.load('jupyter_durable');
    this._asking = askingOf(panel, translator);
  }

  /** See that the kernel has the extension. Rejects with what to do. */
  async load(request: string): Promise<void> {
    const { kernel, server } = this._asking;
    if (kernel !== null) {
      await load(kernel, request, server, this._trans);
      this._asking.ran();
    }
  }

  /** Execute a cell so that it goes on with a request. Rejects with an `Error` whose message can be shown. */
  async resume(cell: CodeCell, request: string): Promise<void> {
    await this.load(request);
    const missing = await this._tell(cell, request, false);
    if (missing.length === 0) {
      await this.run(cell);
      return;
    }
    const how = await askHow(missing, this._above(cell).length, this._trans);
    if (how === 'recorded') {
      await this._replay(request);
    } else if (how === 'above' && (await this._runAbove(cell))) {
      await this._tell(cell, request, true);
      await this.run(cell);
    }
  }

  /** Execute a cell; whether it ended well. */
  run(cell: CodeCell): Promise<boolean> {
    const { content, sessionContext } = this._panel;
    return NotebookActions.runCells(
      content,
      [cell],
      sessionContext,
      undefined,
      this._translator
    );
  }

  /** Tell the kernel what the cell goes on with; what it would miss there. */
  private async _tell(
    cell: CodeCell,
    request: string,
    anyway: boolean
  ): Promise<string[]> {
    const { model } = cell;
    const source = model.sharedModel.getSource();
    const content = { request, cell: model.id, source, anyway };
    return readResumed(await this._asking.about('resume', content)).missing;
  }

  /** With the recorded code. The kernel does not draw into a view that another one made: view and mark ask for it. */
  private async _replay(request: string): Promise<void> {
    const live = this._asking.lives.of(request);
    live.expect();
    try {
      await this._asking.about('replay', { request });
    } catch (error) {
      live.expectNothing();
      throw error;
    }
  }

  private _above(cell: CodeCell): CodeCell[] {
    const { widgets } = this._panel.content;
    return widgets
      .slice(0, widgets.indexOf(cell))
      .filter((each): each is CodeCell => each instanceof CodeCell);
  }

  private async _runAbove(cell: CodeCell): Promise<boolean> {
    for (const each of this._above(cell)) {
      const owned = ownedRequest(each.model.outputs, this._asking.placed);
      if (owned !== null) {
        await this._tell(each, owned.id, true);
      }
      if (!(await this.run(each))) {
        return false;
      }
    }
    return true;
  }

  private _panel: NotebookPanel;
  private _translator: ITranslator;
  private _trans: TranslationBundle;
  private _asking: Asking;
}
