/**
 * Controls of a view that stands in a tab of its own: the store answers, and the notebook's kernel where one lives.
 *
 * Rules of this file
 * - What only a kernel can do says so beforehand; a replay without a kernel is offered in a new one.
 * - What a kernel refuses that the store can answer too is asked of the store.
 */

import { Kernel } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { askKernel, IControlKernel } from '../requests/channel';
import { load, needsExtension } from '../requests/extension';
import { IControls, IWish, Verb } from '../view/controls';
import { IListed } from '../requests/requests';
import { Lives } from '../requests/live';
import { IServer, queryOf } from '../requests/server';
import { Turn } from '../requests/turn';
import { Actions, routeOf } from './actions';
import { replayRefusal } from './listed';
import { Notebooks } from './notebooks';

/** What the store answers by itself. */
const STORED: readonly string[] = [
  'snapshot',
  'page',
  'detail',
  'preview',
  'cancel'
];

export class ServerControls implements IControls {
  constructor(
    one: IListed,
    server: IServer,
    notebooks: Notebooks,
    actions: Actions,
    trans: TranslationBundle
  ) {
    this.one = one;
    this._server = server;
    this._notebooks = notebooks;
    this._actions = actions;
    this._trans = trans;
    notebooks.changed.connect(this._onChanged, this);
    this.turn.onChange(() => this.changed());
  }

  /** The request, as the list showed it last. */
  one: IListed;

  readonly turn = new Turn(() => this._busy());

  readonly lives = new Lives({
    refusal: () => null,
    ask: () => this._read('snapshot', {})
  });

  changed: () => void = () => undefined;

  /** Without a kernel the cell would run in a new one, in which nothing is defined that it needs. */
  get hasCell(): boolean {
    return (
      this._notebooks.alive(this.one) &&
      this._notebooks.cellOf(this.one) !== null
    );
  }

  refusal(verb: Verb): string | null {
    if (STORED.includes(verb)) {
      return null;
    }
    const trans = this._trans;
    const alive = this._notebooks.alive(this.one);
    if (verb === 'replay') {
      return replayRefusal({ ...this.one, status: '' }, alive, trans);
    }
    if (!alive) {
      return trans.__(
        'Only a kernel can do this: open the notebook and start its kernel.'
      );
    }
    return verb === 'debug' && !this.hasCell
      ? trans.__('Only in the notebook: open it first.')
      : null;
  }

  ask(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    const refusal = this.refusal(verb);
    if (refusal !== null) {
      return Promise.reject(new Error(refusal));
    }
    if (verb === 'cancel') {
      return this._actions.cancel(this.one);
    }
    const kernel = this._notebooks.kernelOf(this.one);
    if (verb === 'replay' && kernel === null) {
      return this._actions.replay(this.one, content as IWish);
    }
    if (kernel === null || verb === 'snapshot' || verb === 'page') {
      return this._read(verb, content);
    }
    const asked = this._askKernel(kernel, verb, content);
    return STORED.includes(verb)
      ? asked.catch(() => this._read(verb, content))
      : this._actions.listed(asked);
  }

  resume(): Promise<void> {
    return this._notebooks.resume(this.one);
  }

  runCell(): void {
    this.turn.whenFree(() => this._notebooks.runCell(this.one));
  }

  runBelow(source: string): void {
    void this._notebooks.runBelow(this.one, source);
  }

  dispose(): void {
    this.turn.withdraw();
    this._notebooks.changed.disconnect(this._onChanged, this);
  }

  private async _askKernel(
    kernel: Kernel.IKernelConnection,
    verb: Verb,
    content: Record<string, unknown>
  ): Promise<unknown> {
    if (needsExtension(verb)) {
      await load(kernel, this.one.id, this._server, this._trans);
    }
    const channel = kernel as unknown as IControlKernel;
    return askKernel(channel, { op: verb, ...content }, this._trans);
  }

  private _read(
    verb: Verb,
    content: Record<string, unknown>
  ): Promise<unknown> {
    return this._server.get(routeOf(this.one, verb), queryOf(content));
  }

  private _busy(): boolean {
    return (
      this._notebooks.alive(this.one) &&
      this._notebooks.kernelOf(this.one)?.status === 'busy'
    );
  }

  private _onChanged(): void {
    this.turn.look();
    this.changed();
  }

  private _server: IServer;
  private _notebooks: Notebooks;
  private _actions: Actions;
  private _trans: TranslationBundle;
}
