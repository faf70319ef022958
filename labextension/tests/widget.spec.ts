/**
 * @jest-environment jsdom
 */

/** What a widget's view has besides that of a notebook: texts without a translator, and controls without a cell. */

import { untranslated } from '../src/widget/untranslated';
import widget, { IWidgetModel, WidgetControls } from '../src/widget/widget';

const trans = untranslated;

function model(
  traits: Record<string, unknown>,
  kernel?: unknown
): IWidgetModel & { saved: number; change(name: string, to: unknown): void } {
  const listeners = new Map<string, () => void>();
  return {
    saved: 0,
    get: name => traits[name],
    set: (name, value) => {
      traits[name] = value;
    },
    save_changes() {
      this.saved += 1;
    },
    on: (name, listener) => {
      listeners.set(name, listener);
    },
    off: name => {
      listeners.delete(name);
    },
    change: (name, to) => {
      traits[name] = to;
      listeners.get(`change:${name}`)?.();
    },
    widget_manager: { kernel }
  };
}

function call(id: number, parent: number, label: string) {
  const depth = parent === 0 ? 0 : 1;
  const rest = { name: 'f', kind: 'function_call', status: 'failed' };
  return { id, parent, depth, label, children: 1 - depth, ...rest };
}

const snapshot = {
  version: 1,
  sequence: 1,
  at: 1,
  request: { id: 'req_1', application: 'app', status: 'failed', run: 1 },
  counts: { failed: 1 },
  calls: [call(1, 0, 'app[0]'), call(2, 1, 'part[0]')]
};

describe('texts without a translator', () => {
  it('hold their arguments as with one', () => {
    expect(trans.__('%1 of %2', 3, 40)).toBe('3 of 40');
    expect(trans.__('100 %', 3)).toBe('100 %');
    expect(trans._n('%1 call', '%1 calls', 1)).toBe('1 call');
    expect(trans._n('%1 call', '%1 calls', 2)).toBe('2 calls');
    expect(trans._p('menu', 'Run %1', 'it')).toBe('Run it');
    expect(trans._np('menu', '%1 call', '%1 calls', 0)).toBe('0 calls');
  });
});

describe('controls of a widget', () => {
  it('say why nothing can be done where there is no control channel', async () => {
    for (const kernel of [undefined, null, {}]) {
      const controls = new WidgetControls(model({}, kernel), trans);
      expect(controls.refusal('cancel')).toMatch('%durable');
      await expect(controls.ask('cancel', {})).rejects.toThrow('%durable');
    }
  });

  it('say that a kernel is not connected, and that there is no cell', () => {
    const kernel = {
      sendControlMessage: () => undefined,
      connectionStatus: 'connecting'
    };
    const controls = new WidgetControls(model({}, kernel), trans);
    expect(controls.refusal('replay')).toMatch('not connected');
    expect(controls.refusal('debug')).toMatch('notebook');
    expect(controls.hasCell).toBe(false);
  });
});

describe('the selected call', () => {
  it('is told to the widget once, and taken from it', () => {
    const el = document.createElement('div');
    const traits = { snapshot, selected_call: '' };
    const given = model(traits);
    const end = widget.render({ model: given, el });
    const row = () =>
      Array.from(el.querySelectorAll<HTMLElement>('.jp-durable-row'));
    row()[1].click();
    expect(traits.selected_call).toBe('part[0]');
    expect(given.saved).toBe(1);
    given.change('selected_call', 'app[0]');
    expect(given.saved).toBe(1);
    end();
  });

  it('may be set before the widget is shown', async () => {
    const el = document.createElement('div');
    const given = model({ snapshot, selected_call: 'part[0]' });
    const end = widget.render({ model: given, el });
    await new Promise(requestAnimationFrame);
    const selected = el.querySelector("[aria-selected='true']");
    expect(selected?.textContent).toContain('part[0]');
    expect(given.saved).toBe(0);
    end();
  });
});

describe('a call that is selected from Python', () => {
  const calls = [
    { id: 1, parent: 0, depth: 0, label: 'app[0]', name: 'app', children: 1 },
    {
      id: 2,
      parent: 1,
      depth: 1,
      label: 'part[0]',
      name: 'part',
      kind: 'map',
      children: 70
    },
    ...Array.from({ length: 70 }, (_, n) => ({
      id: 3 + n,
      parent: 2,
      depth: 2,
      label: `part[${n + 1}]`,
      name: 'part',
      kind: 'map_item',
      children: n === 4 ? 1 : 0
    })),
    { id: 99, parent: 7, depth: 3, label: 'leaf[0]', name: 'leaf' }
  ].map(call => ({
    kind: 'function_call',
    status: 'succeeded',
    source: 'ran',
    attempts: 1,
    started_at: 1,
    duration: 1,
    ...call
  }));

  it('is seen: all that it is in opens', async () => {
    const el = document.createElement('div');
    const given = model({
      snapshot: { ...snapshot, calls },
      selected_call: ''
    });
    const end = widget.render({ model: given, el });
    await new Promise(requestAnimationFrame);
    expect(el.textContent).not.toContain('leaf[0]');
    given.change('selected_call', 'leaf[0]');
    await new Promise(requestAnimationFrame);
    const selected = el.querySelector("[aria-selected='true']");
    expect(selected?.textContent).toContain('leaf[0]');
    end();
  });
});
