/**
 * The view as an ipywidgets widget, by anywidget: `request.widget()`.
 *
 * Rules of this file
 * - It is bundled alone, with nothing of JupyterLab in it, for every front end that shows widgets.
 * - State comes through the widget's traits, what the user asks for goes over the control channel. Where a front end
 *   has none, controls are disabled and say what to write instead.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { askKernel, IControlKernel } from '../requests/channel';
import { Lives } from '../requests/live';
import { Turn } from '../requests/turn';
import { IControls, Verb } from '../view/controls';
import { Model } from '../model/model';
import { untranslated } from './untranslated';
import { RequestView } from '../view/view';

/** What is used of anywidget's model. */
export interface IWidgetModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(name: string, listener: () => void): void;
  off(name: string, listener: () => void): void;
  readonly widget_manager?: { readonly kernel?: unknown };
}

/** Controls of a view that is a widget: it has a kernel at most, and no cell. */
export class WidgetControls implements IControls {
  constructor(model: IWidgetModel, trans: TranslationBundle) {
    this._model = model;
    this._trans = trans;
    this.turn.onChange(() => this.changed());
  }

  readonly hasCell = false;

  readonly lives = new Lives({
    refusal: () => this.refusal('snapshot'),
    ask: request => this.ask('snapshot', { request })
  });

  readonly turn = new Turn(() => this._kernel()?.status === 'busy');

  changed: () => void = () => undefined;

  /** Never called: there is no cell that could run. */
  ran: (another: boolean) => void = () => undefined;

  refusal(verb: Verb): string | null {
    const trans = this._trans;
    const kernel = this._kernel();
    if (verb === 'debug') {
      return trans.__('Only in a notebook: %durable debug');
    }
    if (kernel === null) {
      return trans.__(
        'This front end cannot reach a busy kernel from a widget: use %durable, or the methods of the request.'
      );
    }
    if (kernel.connectionStatus !== 'connected') {
      return trans.__('The kernel is not connected.');
    }
    return null;
  }

  ask(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    const refusal = this.refusal(verb);
    const kernel = this._kernel();
    return refusal !== null || kernel === null
      ? Promise.reject(new Error(refusal ?? ''))
      : askKernel(kernel, { op: verb, ...content }, this._trans);
  }

  /** Never called: there is no cell that could run. */
  resume(): Promise<void> {
    return Promise.resolve();
  }

  runCell(): void {
    // There is none: `hasCell` says so.
  }

  runBelow(): void {
    // As above.
  }

  private _kernel(): IControlKernel | null {
    const kernel = this._model.widget_manager?.kernel as
      Partial<IControlKernel> | null | undefined;
    return typeof kernel?.sendControlMessage === 'function'
      ? (kernel as IControlKernel)
      : null;
  }

  private _model: IWidgetModel;
  private _trans: TranslationBundle;
}

/** Which call is selected, there and here: a widget's trait, which may be set already, and a view's row. */
function linkSelection(model: IWidgetModel, shown: Model): () => void {
  const drawn = shown.changed;
  const label = () => shown.call(shown.selected)?.label ?? '';
  let known = '';
  const tell = () => {
    const now = shown.selected === null ? '' : label();
    if (now !== known && (now !== '' || shown.selected === null)) {
      known = now;
      model.set('selected_call', now);
      model.save_changes();
    }
  };
  shown.changed = () => {
    drawn();
    tell();
  };
  const take = () => {
    const wanted = String(model.get('selected_call') ?? '');
    if (wanted === known) {
      return;
    }
    known = wanted;
    const call = shown.snapshot?.calls.find(one => one.label === wanted);
    if (call === undefined) {
      shown.select(null);
    } else {
      shown.reveal(call);
    }
  };
  model.on('change:selected_call', take);
  take();
  return () => model.off('change:selected_call', take);
}

/** anywidget's entry. */
function render(given: { model: IWidgetModel; el: HTMLElement }): () => void {
  const { model, el } = given;
  const view = new RequestView(
    new WidgetControls(model, untranslated),
    untranslated
  );
  el.classList.add('jp-durable-output', 'jp-durable-widget');
  el.append(view.node);
  const show = () => view.show(model.get('snapshot'));
  model.on('change:snapshot', show);
  show();
  const unlink = linkSelection(model, view.model);
  return () => {
    model.off('change:snapshot', show);
    unlink();
    view.dispose();
  };
}

export default { render };
