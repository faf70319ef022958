/**
 * What stands below a selected call: error, inputs, output, log, and what can be done with it.
 *
 * Rules of this file
 * - Previews are made in the kernel. Without one, what the notebook saved is shown.
 * - Nothing is asked of the kernel that the user did not ask for.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { IControls, IWish, offered, Verb } from './controls';
import {
  allow,
  button,
  element,
  patch,
  setAttribute,
  show,
  visible
} from './dom';
import { ForkEditor } from './fork';
import { IAttempt, IDetail, Preview, readDetail } from '../protocol/answers';
import { table } from './plan';
import { IShownCall } from '../protocol/protocol';
import { Answer, WaitingView } from './waiting';
import { lasting, mark, statusWord } from './words';

type Tab = 'error' | 'inputs' | 'output' | 'log' | 'attempts';

/** What a detail asks its view to do. */
export interface IDetailActions {
  replay(wish: IWish): void;
  /** `told`: that it has begun (null), or why it could not; what was typed stays until then. */
  fork(text: string, told: (failure: string | null) => void): void;
  debug(call: IShownCall): void;
  copy(call: IShownCall): void;
  answer(call: IShownCall, given: Answer): void;
}

export class DetailView {
  constructor(
    controls: IControls,
    actions: IDetailActions,
    trans: TranslationBundle
  ) {
    this._controls = controls;
    this._actions = actions;
    this._trans = trans;
    this._tabs.setAttribute('role', 'tablist');
    this._body.setAttribute('role', 'tabpanel');
    this._waiting = new WaitingView(
      controls,
      (call, given) => actions.answer(call, given),
      trans
    );
    this.node = element('div', 'detail', [
      this._waiting.node,
      this._tabs,
      this._body,
      this._buttons
    ]);
    this._editor = new ForkEditor(actions.fork, trans);
    this.node.append(this._editor.node);
    this.node.addEventListener('keydown', event => event.stopPropagation());
    this._makeButtons();
  }

  readonly node: HTMLElement;

  /** What is asked besides the call itself: the request. */
  content: Record<string, unknown> = {};

  /** Whether the call is the root of an application, whose input can be another one. */
  canFork = false;

  render(call: IShownCall): void {
    const key = `${call.id} ${call.status} ${call.attempts} ${call.started_at}`;
    if (key !== this._key) {
      const another = call.id !== this._call?.id;
      this._key = key;
      this._detail = saved(call);
      this._failure = '';
      if (another) {
        this._tab = null;
        this._editor.close();
      }
      this._ask(call, key);
    }
    this._call = call;
    setAttribute(this.node, 'data-status', call.status);
    this._waiting.render(call);
    this._renderTabs();
    this._renderBody();
    this._renderButtons(call);
  }

  private _ask(call: IShownCall, key: string): void {
    if (this._controls.refusal('detail') !== null) {
      return;
    }
    this._controls
      .ask('detail', { ...this.content, call: call.id })
      .then(reply => {
        if (this._key === key) {
          this._detail = readDetail(reply);
          this._editor.fill(this._detail.input_text);
          this._again();
        }
      })
      .catch((error: Error) => {
        if (this._key === key) {
          this._failure = error.message;
          this._again();
        }
      });
  }

  private _again(): void {
    if (this._call !== null) {
      this.render(this._call);
    }
  }

  private _available(): Tab[] {
    const detail = this._detail;
    const found: Tab[] = detail.error ? ['error'] : [];
    found.push('inputs');
    if (!detail.error) {
      found.push('output');
    }
    if (detail.logs.length) {
      found.push('log');
    }
    if (detail.attempts.length) {
      found.push('attempts');
    }
    return found;
  }

  private get _open(): Tab {
    const tabs = this._available();
    return this._tab !== null && tabs.includes(this._tab) ? this._tab : tabs[0];
  }

  private _renderTabs(): void {
    const words: Record<Tab, string> = {
      error: this._trans.__('Error'),
      inputs: this._trans.__('Inputs'),
      output: this._trans.__('Output'),
      log: this._trans.__('Log'),
      attempts: this._trans.__('Attempts')
    };
    patch(
      this._tabs,
      this._available(),
      tab => tab,
      tab => {
        const made = button(words[tab], 'tab', () => {
          this._tab = tab;
          this._again();
        });
        made.setAttribute('role', 'tab');
        return made;
      },
      (node, tab) =>
        setAttribute(node, 'aria-selected', String(tab === this._open))
    );
  }

  private _renderBody(): void {
    const tab = this._open;
    const state = JSON.stringify([tab, this._detail, this._failure]);
    if (this._shown === state) {
      return;
    }
    this._shown = state;
    const parts = this._parts(tab);
    if (this._failure) {
      parts.push(element('div', 'quiet', visible(this._failure)));
    }
    this._body.replaceChildren(...parts);
  }

  private _parts(tab: Tab): HTMLElement[] {
    switch (tab) {
      case 'inputs':
        return this._inputs();
      case 'output':
        return this._output();
      case 'log':
        return logLines(this._detail.logs);
      case 'attempts':
        return attemptLines(this._detail.attempts, this._trans);
      default:
        return [block(this._detail.error, 'error')];
    }
  }

  private _inputs(): HTMLElement[] {
    const inputs = this._detail.inputs;
    if (inputs.length === 0) {
      return [element('div', 'quiet', this._trans.__('no arguments'))];
    }
    return inputs.map(each =>
      element('div', 'input', [
        element('code', 'label', visible(each.name)),
        preview(each.value)
      ])
    );
  }

  private _output(): HTMLElement[] {
    const output = this._detail.output;
    return output === null
      ? [element('div', 'quiet', this._trans.__('no output'))]
      : [preview(output)];
  }

  private _makeButtons(): void {
    const trans = this._trans;
    const on = (act: (call: IShownCall) => void) => () => {
      if (this._call !== null) {
        act(this._call);
      }
    };
    const { replay, debug, copy } = this._actions;
    this._add('replay', trans.__('Re-run this call'), {
      title: trans.__(
        'Replay: this call executes again, the others are reused'
      ),
      act: on(call => replay({ rerun: call.id })),
      some: true
    });
    this._add('replay', trans.__('Replay from here'), {
      title: trans.__('Replay: this call and all later ones execute again'),
      act: on(call => replay({ from_call: call.id })),
      some: true
    });
    this._fork = this._add('fork', trans.__('Fork with other input…'), {
      title: trans.__('The same in a new request, with input you edit'),
      act: () => this._editor.open(this._detail.input_text)
    });
    this._add('debug', trans.__('Debug'), {
      title: trans.__(
        'Run the call again with its recorded input, in the debugger'
      ),
      act: on(debug)
    });
    this._add(null, trans.__('Copy as code'), {
      title: trans.__('Copy Python that makes this call again'),
      act: on(copy)
    });
  }

  private _add(
    verb: Verb | null,
    label: string,
    what: { title: string; act: () => void; some?: boolean }
  ): HTMLButtonElement {
    const made = button(label, 'button', () => {
      if (verb === null || this._controls.refusal(verb) === null) {
        what.act();
      }
    });
    this._verbs.push([made, verb, what.title]);
    show(made, offered(this._controls, verb, what.some));
    this._buttons.append(made);
    return made;
  }

  private _renderButtons(call: IShownCall): void {
    for (const [node, verb, title] of this._verbs) {
      allow(node, verb === null ? null : this._controls.refusal(verb), title);
    }
    if (this._fork !== null) {
      const there = offered(this._controls, 'fork');
      this._fork.hidden = !(there && this.canFork && call.depth === 0);
    }
  }

  private _controls: IControls;
  private _actions: IDetailActions;
  private _trans: TranslationBundle;
  private _waiting: WaitingView;
  private _tabs = element('div', 'tabs');
  private _body = element('div', 'body');
  private _buttons = element('div', 'buttons');
  private _editor: ForkEditor;
  private _fork: HTMLButtonElement | null = null;
  private _verbs: [HTMLButtonElement, Verb | null, string][] = [];
  private _call: IShownCall | null = null;
  private _detail: IDetail = saved(null);
  private _failure = '';
  private _key = '';
  private _tab: Tab | null = null;
  private _shown = '';
}

/** What the notebook itself knows of a call. */
function saved(call: IShownCall | null): IDetail {
  const words = (text: string): Preview => ({ type: 'text', text });
  return {
    inputs: call?.arguments ? [{ name: '', value: words(call.arguments) }] : [],
    output: call?.output ? words(call.output) : null,
    error: call?.error ?? '',
    logs: call?.logs ?? [],
    input_text: '',
    attempts: (call?.tries ?? []).map(each => ({
      ...each,
      status: 'failed',
      ended_at: each.started_at + each.duration
    }))
  };
}

function block(text: string, name: string): HTMLElement {
  return element('pre', name, visible(text));
}

function logLines(logs: [string, string][]): HTMLElement[] {
  return logs.map(([stream, text]) => {
    const line = block(text, stream === 'stderr' ? 'log error' : 'log');
    line.title = stream;
    return line;
  });
}

function attemptLines(
  attempts: IAttempt[],
  trans: TranslationBundle
): HTMLElement[] {
  let before: number | null = null;
  return attempts.map(each => {
    const parts = [
      trans.__('attempt %1', each.number),
      statusWord(each.status, trans)
    ];
    if (each.duration !== null) {
      parts.push(lasting(each.duration));
    } else if (each.ended_at !== null && before !== null) {
      const since = lasting(Math.max(0, each.ended_at - before));
      parts.push(trans.__('%1 after the one before', since));
    }
    before = each.ended_at;
    const head = element('div', 'attempt', [
      element('span', 'sign', mark(each.status)),
      element('b', '', parts.join(' · '))
    ]);
    head.firstElementChild?.setAttribute('data-status', each.status);
    const said = each.error ? [block(each.error, 'error')] : [];
    return element('div', '', [head, ...said]);
  });
}

function preview(value: Preview): HTMLElement {
  if (value.type === 'text') {
    return block(value.text, 'value');
  }
  const note = element('div', 'quiet', visible(value.note));
  if (value.type === 'image') {
    const image = element('img', 'image');
    image.src = `data:${value.mime};base64,${value.data}`;
    image.alt = visible(value.note);
    return element('div', '', [image, note]);
  }
  return element('div', 'scroll', [table(value.columns, value.rows), note]);
}
