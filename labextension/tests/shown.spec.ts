/**
 * @jest-environment jsdom
 */
/** What a view shows of a snapshot, and what its controls say: with controls of the test's own. */

import { Controls, drawn, now, snapshot } from './drawn';

function row(node: HTMLElement, label: string): HTMLElement {
  const found = [...node.querySelectorAll<HTMLElement>('.jp-durable-row')].find(
    each => each.querySelector('.jp-durable-label')?.textContent === label
  );
  if (found === undefined) {
    throw new Error(`no row ${label}`);
  }
  return found;
}

function named(node: HTMLElement, name: string): HTMLElement {
  const found = [...node.querySelectorAll('button')].find(
    each => each.textContent === name
  );
  if (found === undefined) {
    throw new Error(`no button ${name}`);
  }
  return found;
}

async function settled(): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await new Promise(resolve => window.requestAnimationFrame(resolve));
  }
}

const TRIES = [
  { number: 1, started_at: now - 10, duration: 2, error: 'OSError: one' },
  { number: 2, started_at: now - 7, duration: 1, error: 'OSError: two' }
];

describe('attempts', () => {
  it('are bars of their own on the time axis, the failed ones told apart, and counted in words', () => {
    const [node] = drawn(snapshot({ attempts: 3, tries: TRIES }));
    const shown = row(node, 'f[0]');
    const bars = [...shown.querySelectorAll('.jp-durable-bar')];
    expect(bars.map(bar => bar.getAttribute('data-status'))).toEqual([
      'attempt',
      'attempt',
      'failed'
    ]);
    expect(bars[1].getAttribute('title')).toBe(
      'attempt 2 failed after 1.0 s: OSError: two'
    );
    expect(shown.textContent).toContain('ran · 3 attempts');
  });

  it('of which only the number is known are one bar', () => {
    const [node] = drawn(snapshot({ attempts: 3 }));
    const shown = row(node, 'f[0]');
    expect(shown.querySelectorAll('.jp-durable-bar')).toHaveLength(1);
    expect(shown.textContent).toContain('ran · 3 attempts');
  });

  it('begin where they began: the last bar holds no wait where that is known', () => {
    const last = (more: object) => {
      const [node] = drawn(snapshot({ attempts: 3, tries: TRIES, ...more }));
      const bars = row(node, 'f[0]').querySelectorAll('.jp-durable-bar');
      return bars[2] as HTMLElement;
    };
    expect(last({}).title).toBe('attempt 3, with the wait before it: 5.0 s');
    const known = last({ last_try_at: now - 2 });
    expect(known.title).toBe('attempt 3: 1.0 s');
    expect(parseFloat(known.style.left)).toBeGreaterThan(80);
  });

  it('say their errors in the detail, also where there is no kernel', () => {
    const controls = new Controls();
    controls.refused = 'No kernel.';
    const [node] = drawn(snapshot({ attempts: 3, tries: TRIES }), controls);
    row(node, 'f[0]').click();
    return settled().then(() => {
      named(node, 'Attempts').click();
      const body = node.querySelector('.jp-durable-body')?.textContent;
      expect(body).toContain('attempt 1 · failed · 2.0 s');
      expect(body).toContain('OSError: two');
      expect(controls.asked).toEqual([]);
    });
  });
});

describe('a failed call', () => {
  const fault = (node: HTMLElement, label: string) =>
    row(node, label).querySelector<HTMLElement>(
      '.jp-durable-fault:not([hidden])'
    )?.textContent ?? '';

  it('says why in its row, without its frames; its caller does where the row is not to be seen', async () => {
    const error =
      'Traceback (most recent call last):\n  cell [2], line 3, in f\n    raise\nOSError: no\u202e answer\nat all\n';
    const { calls, ...rest } = snapshot({ error });
    const passed = calls.map(call => ({ ...call, error }));
    const [node] = drawn({ ...rest, calls: passed });
    expect(fault(node, 'f[0]')).toBe('OSError: no\\u202e answer');
    expect(fault(node, 'app[0]')).toBe('');
    row(node, 'app[0]')
      .querySelector<HTMLElement>('.jp-durable-twisty')
      ?.click();
    await settled();
    expect(fault(node, 'app[0]')).toBe('OSError: no\\u202e answer');
  });

  it('of which nothing is told says nothing', () => {
    const [node] = drawn(snapshot({}));
    expect(fault(node, 'f[0]')).toBe('');
  });
});

describe('the head of a fork', () => {
  const id = (request: object) => {
    const { request: base, ...rest } = snapshot({});
    const [node] = drawn({ ...rest, request: { ...base, ...request } });
    return node.querySelector('.jp-durable-id')?.textContent;
  };

  it('says of what it is one; that of any other request does not', () => {
    expect(id({ forked_from: 'req_0' })).toBe('req_1 · fork of req_0');
    expect(id({})).toBe('req_1');
  });
});

describe('a waiting call', () => {
  const approval = { kind: 'approval', prompt: 'Send 40 letters?' };
  const waits = (waiting: unknown) =>
    snapshot(
      { status: 'waiting', duration: null, waiting },
      {
        counts: {},
        request: {
          id: 'req_1',
          application: 'app',
          kind: 'function_call',
          status: 'waiting',
          run: 1
        }
      }
    );

  it('says what it waits for; its buttons are off and say why while the kernel takes no answer', async () => {
    const [node, controls] = drawn(waits(approval));
    const shown = row(node, 'f[0]');
    expect(shown.textContent).toContain(
      'waiting for approval: Send 40 letters?'
    );
    shown.click();
    await settled();
    const approve = named(node, 'Approve');
    expect(approve.getAttribute('aria-disabled')).toBe('true');
    expect(approve.title).toBe('This kernel cannot take answers yet.');
    approve.click();
    expect(controls.asked.map(([verb]) => verb)).not.toContain('answer');
  });

  it('is approved or rejected where the kernel takes answers', async () => {
    const [node, controls] = drawn(waits({ ...approval, answerable: true }));
    row(node, 'f[0]').click();
    await settled();
    named(node, 'Reject').click();
    expect(controls.asked).toContainEqual([
      'answer',
      { request: 'req_1', display: '', call: 2, answer: false }
    ]);
  });

  it('asks for the fields of its schema', async () => {
    const schema = {
      properties: { name: { title: 'Name' }, copies: { type: 'integer' } }
    };
    const form = { kind: 'form', prompt: '', schema, answerable: true };
    const [node, controls] = drawn(waits(form));
    row(node, 'f[0]').click();
    await settled();
    const inputs = node.querySelectorAll<HTMLInputElement>(
      '.jp-durable-waiting input'
    );
    expect([...inputs].map(input => input.type)).toEqual(['text', 'number']);
    inputs[0].value = 'Ada';
    inputs[1].value = '3';
    named(node, 'Send').click();
    expect(controls.asked).toContainEqual([
      'answer',
      {
        request: 'req_1',
        display: '',
        call: 2,
        answer: { name: 'Ada', copies: 3 }
      }
    ]);
  });

  it.each([7, 'approval', { kind: 'other' }, null])(
    'is none where the field is %j',
    waiting => {
      const [node] = drawn(waits(waiting));
      expect(row(node, 'f[0]').textContent).not.toContain('waiting for');
    }
  );
});

/** What the menu offers. */
function entries(node: HTMLElement): (string | undefined)[] {
  return [...node.querySelectorAll<HTMLElement>('.jp-durable-entry')]
    .filter(each => !each.hidden)
    .map(
      each =>
        each.querySelector('.jp-durable-entry-label')?.textContent ?? undefined
    );
}

describe('the one button', () => {
  const ahead = { ahead: { execute: 4, reuse: 1056 } };

  it('says what it would run and reuse, where that is known', async () => {
    const [node] = drawn(snapshot({}, ahead), new Controls());
    await settled();
    expect(named(node, 'Resume: 4 to run, 1,056 reused').title).toBe(
      'Execute this cell again: what succeeded is reused, what was not reached runs, too'
    );
    const elsewhere = new Controls();
    elsewhere.hasCell = false;
    const [other] = drawn(snapshot({}, ahead), elsewhere);
    await settled();
    expect(named(other, 'Replay: 4 to run, 1,056 reused').hidden).toBe(false);
  });

  it('has all others in a menu, each with a line that says what it does, or why it cannot be done', async () => {
    const controls = new Controls();
    const [node] = drawn(snapshot({}, ahead), controls);
    await settled();
    const shown = [
      ...node.querySelectorAll<HTMLElement>('.jp-durable-entry')
    ].filter(each => !each.hidden);
    expect(entries(node)).toEqual([
      'Preview',
      'Replay recorded code',
      'Re-run what changed',
      'Strict replay',
      'Copy request id'
    ]);
    const told = (each: HTMLElement) =>
      each.querySelector('.jp-durable-entry-told')?.textContent;
    expect(shown.every(each => (told(each)?.length ?? 0) > 10)).toBe(true);
    controls.refused = 'The kernel is dead.';
    controls.changed();
    await settled();
    expect(told(shown[0])).toBe('The kernel is dead.');
  });
});

describe('controls', () => {
  const saved = (sequence = 1) => snapshot({}, { at: now - 9999, sequence });

  it('of a request that the store does not know are off before they are pressed, and say so', async () => {
    const controls = new Controls();
    controls.answers.snapshot = new Error('no request req_1 in this store');
    const [node] = drawn(saved(), controls);
    await settled();
    const replay = named(node, 'Replay');
    expect(replay.getAttribute('aria-disabled')).toBe('true');
    expect(replay.title).toBe('no request req_1 in this store');
  });

  it('are on again when code has run and the request is known', async () => {
    const controls = new Controls();
    controls.answers.snapshot = new Error('no request req_1 in this store');
    const [node] = drawn(saved(), controls);
    await settled();
    controls.answers.snapshot = saved(2);
    controls.ran(false);
    await settled();
    await settled();
    expect(named(node, 'Replay').getAttribute('aria-disabled')).toBeNull();
  });

  it('ask nothing where nothing may be asked', async () => {
    const controls = new Controls();
    controls.refused = 'This notebook is not trusted.';
    const [node] = drawn(saved(), controls);
    await settled();
    row(node, 'f[0]').click();
    await settled();
    expect(controls.asked).toEqual([]);
    expect(named(node, 'Replay').title).toBe('This notebook is not trusted.');
  });

  it('offer the latest code only where it differs, name what changed, and keep the recorded one in the menu', async () => {
    const controls = new Controls();
    const [node] = drawn(snapshot({}), controls);
    await settled();
    expect(entries(node)).not.toContain('Replay with latest code');
    controls.answers.changes = { changed: ['parse', 'rank'], missing: [] };
    controls.ran(false);
    await settled();
    await settled();
    expect(named(node, 'Replay with latest code').title).toContain(
      'Changed since: parse, rank'
    );
    expect(entries(node)).toContain('Replay recorded code');
    expect(node.textContent).toContain('△ changed since: parse, rank');
  });
});
