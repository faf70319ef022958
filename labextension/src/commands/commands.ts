/**
 * The commands `durable:*` for the request of a cell.
 *
 * Rules of this file
 * - Each acts on the request of the active cell, or on that of the argument `request` in any open notebook.
 * - One that cannot be done now is disabled, and its caption says why. What fails is told, none is lost.
 */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { DisposableSet, IDisposable } from '@lumino/disposable';
import { askForInput, showPreview } from './dialogs';
import { ITarget, targetOf } from './target';
import { Verb } from '../view/controls';
import { visible } from '../view/dom';
import { resumable } from '../marks/model';
import { readDetail } from '../protocol/answers';
import { readSnapshot } from '../protocol/protocol';
import { Turn } from '../requests/turn';

export const CommandIDs = {
  resumeCell: 'durable:resume-cell',
  replayRequest: 'durable:replay-request',
  replayLatest: 'durable:replay-latest',
  replayChanged: 'durable:replay-changed',
  replayStrict: 'durable:replay-strict',
  previewReplay: 'durable:preview-replay',
  cancelRequest: 'durable:cancel-request',
  forkRequest: 'durable:fork-request',
  copyRequestId: 'durable:copy-request-id'
} as const;

/** One command. */
interface ICommand {
  id: string;
  label: string;
  caption: string;
  /** What the kernel is asked for; null for what needs no kernel. */
  verb: Verb | null;
  /** Why it is not for this request now. */
  unfit?: (target: ITarget) => string | null;
  act: (target: ITarget) => Promise<void>;
}

const ARGUMENTS = {
  type: 'object',
  properties: {
    request: {
      type: 'string',
      description:
        'Id of a request that an open notebook shows; that of the active cell when left out'
    }
  }
} as const;

export class RequestCommands {
  constructor(
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator
  ) {
    this._app = app;
    this._tracker = tracker;
    this._translator = translator;
    this._trans = translator.load('jupyter_durable');
  }

  /** Add them all; into the palette, too. */
  add(palette: ICommandPalette | null): IDisposable {
    const added = new DisposableSet();
    for (const command of [...this._running(), ...this._looking()]) {
      added.add(this._add(command));
      if (palette !== null) {
        const category = this._trans.__('Durable');
        added.add(palette.addItem({ command: command.id, category }));
      }
    }
    const tell = () => {
      Object.values(CommandIDs).forEach(id =>
        this._app.commands.notifyCommandChanged(id)
      );
    };
    this._tracker.activeCellChanged.connect(tell, this);
    return added;
  }

  private _add(command: ICommand): IDisposable {
    const { id, label, caption } = command;
    return this._app.commands.addCommand(id, {
      label,
      caption: args => this._refusal(command, args) ?? caption,
      usage: caption,
      describedBy: { args: ARGUMENTS },
      isEnabled: args => this._refusal(command, args) === null,
      execute: args => this._execute(command, args)
    });
  }

  private async _execute(
    command: ICommand,
    args: ReadonlyPartialJSONObject
  ): Promise<void> {
    const refusal = this._refusal(command, args);
    const target = this._target(args);
    if (refusal !== null || target === null) {
      Notification.warning(refusal ?? '', { autoClose: 5000 });
      return;
    }
    try {
      await command.act(target);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      Notification.error(visible(`${command.label}: ${said}`), {
        autoClose: false
      });
    } finally {
      target.release();
    }
  }

  /** Why a command cannot be done now; null when it can. */
  private _refusal(
    command: ICommand,
    args: ReadonlyPartialJSONObject
  ): string | null {
    const target = this._target(args);
    if (target === null) {
      return typeof args.request === 'string'
        ? this._trans.__('No open notebook shows that request.')
        : this._trans.__('The active cell has no durable request.');
    }
    const unfit = command.unfit?.(target) ?? null;
    const { verb } = command;
    const refusal = verb === null ? null : target.controls.refusal(verb);
    target.release();
    return unfit ?? refusal;
  }

  private _target(args: ReadonlyPartialJSONObject): ITarget | null {
    const id = typeof args.request === 'string' ? args.request : null;
    return targetOf(this._tracker, this._translator, id);
  }

  private _running(): ICommand[] {
    const trans = this._trans;
    return [
      {
        id: CommandIDs.resumeCell,
        label: trans.__('Resume Cell'),
        caption: trans.__('Execute this cell again: what succeeded is reused'),
        verb: 'resume',
        unfit: target =>
          this._ended(target) ??
          (resumable(target.status)
            ? null
            : trans.__(
                'It succeeded: executing the cell would begin a new request.'
              )),
        act: ({ controls, request }) =>
          whenFree(controls.turn, () => controls.resume(request.id))
      },
      {
        id: CommandIDs.replayRequest,
        label: trans.__('Replay Request'),
        caption: trans.__('With the code this request ran with'),
        ...this._replaying({})
      },
      {
        id: CommandIDs.replayLatest,
        label: trans.__('Replay Request With Latest Code'),
        caption: trans.__('With the functions as they are defined now'),
        ...this._replaying({ latest: true })
      },
      {
        id: CommandIDs.replayChanged,
        label: trans.__('Replay Request and Re-Run What Changed'),
        caption: trans.__(
          'Calls whose code or arguments changed execute again'
        ),
        ...this._replaying({ rerun: 'changed' })
      },
      {
        id: CommandIDs.replayStrict,
        label: trans.__('Replay Request Strictly'),
        caption: trans.__('Fails when the code goes another way than recorded'),
        ...this._replaying({ strict: true })
      },
      {
        id: CommandIDs.cancelRequest,
        label: trans.__('Cancel Request'),
        caption: trans.__('Stop it; what succeeded is kept'),
        verb: 'cancel',
        unfit: ({ status }) =>
          status === 'running' ? null : trans.__('It is not running.'),
        act: async ({ controls, content }) => {
          await controls.ask('cancel', content);
        }
      }
    ];
  }

  private _looking(): ICommand[] {
    const trans = this._trans;
    return [
      {
        id: CommandIDs.previewReplay,
        label: trans.__('Preview Replay'),
        caption: trans.__(
          'What a replay would reuse and execute; runs nothing'
        ),
        verb: 'preview',
        unfit: target => this._ended(target),
        act: ({ controls, content, request }) =>
          controls
            .ask('preview', { ...content, latest: true })
            .then(reply => showPreview(request.application, reply, trans))
      },
      {
        id: CommandIDs.forkRequest,
        label: trans.__('Fork Request With Other Input…'),
        caption: trans.__('The same application in a new request'),
        verb: 'fork',
        unfit: ({ request }) =>
          request.kind === 'function_call'
            ? null
            : trans.__('A cell has no input: copy the cell to fork it.'),
        act: target => this._fork(target)
      },
      {
        id: CommandIDs.copyRequestId,
        label: trans.__('Copy Request ID'),
        caption: trans.__('For get_request("…") and %durable'),
        verb: null,
        act: ({ request }) => navigator.clipboard.writeText(request.id)
      }
    ];
  }

  private _ended({ status }: ITarget): string | null {
    return status === 'running' ? this._trans.__('It is running.') : null;
  }

  /** In the kernel, as soon as it is free; pictures go to the output that is there. */
  private _replaying(wish: ReadonlyPartialJSONObject) {
    return {
      verb: 'replay' as const,
      unfit: (target: ITarget) => this._ended(target),
      act: ({ controls, content }: ITarget) =>
        whenFree(controls.turn, () =>
          controls.ask('replay', { ...content, ...wish })
        )
    };
  }

  private async _fork(target: ITarget): Promise<void> {
    const { controls, content } = target;
    const now = readSnapshot(await controls.ask('snapshot', content));
    const call = now?.calls.find(each => each.depth === 0)?.id;
    const detail = await controls.ask('detail', { ...content, call });
    const text = readDetail(detail).input_text;
    const input = await askForInput(text, this._trans);
    if (input !== null) {
      const reply = await controls.ask('fork', { ...content, input });
      const id = String((reply as { fork?: string }).fork ?? '');
      Notification.success(this._trans.__('Forked as %1', visible(id)), {
        autoClose: 8000
      });
    }
  }

  private _app: JupyterFrontEnd;
  private _tracker: INotebookTracker;
  private _translator: ITranslator;
  private _trans: TranslationBundle;
}

/** Do something as soon as the kernel is free; until it has come to its end. */
function whenFree(turn: Turn, act: () => Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) =>
    turn.whenFree(() => void act().then(() => resolve(), reject))
  );
}
