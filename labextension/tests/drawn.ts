/** A view of a request that failed, with controls of the test's own. */

import { Lives } from '../src/requests/live';
import { Turn } from '../src/requests/turn';
import { IControls, Verb } from '../src/view/controls';
import { RequestView } from '../src/view/view';
import { english } from './english';

/** Controls that answer what a test says. */
export class Controls implements IControls {
  refused: string | null = null;
  asked: [Verb, Record<string, unknown>][] = [];
  answers: Partial<Record<Verb, unknown>> = {};
  hasCell = true;
  resumed: string[] = [];
  lives = new Lives({
    refusal: () => this.refused,
    ask: request => this.ask('snapshot', { request })
  });
  turn = new Turn(() => false);
  changed: () => void = () => undefined;
  ran: (another: boolean) => void = () => undefined;

  refusal(): string | null {
    return this.refused;
  }

  async ask(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    this.asked.push([verb, content]);
    const answer = this.answers[verb];
    if (answer instanceof Error) {
      throw answer;
    }
    return answer ?? {};
  }

  async resume(request: string): Promise<void> {
    this.resumed.push(request);
  }

  runCell(): void {}
  runBelow(): void {}
}

export const now = Date.now() / 1000;

/** A failed request of two calls, the second as given. */
export function snapshot(call: Record<string, unknown>, more: object = {}) {
  const base = {
    source: 'ran',
    kind: 'function_call',
    attempts: 1,
    started_at: now - 10
  };
  return {
    version: 1,
    sequence: 1,
    at: now,
    request: {
      id: 'req_1',
      application: 'app',
      kind: 'function_call',
      status: 'failed',
      run: 1
    },
    counts: { failed: 1 },
    calls: [
      {
        ...base,
        id: 1,
        parent: 0,
        depth: 0,
        label: 'app[0]',
        name: 'app',
        status: 'failed',
        duration: 10,
        children: 1
      },
      {
        ...base,
        id: 2,
        parent: 1,
        depth: 1,
        label: 'f[0]',
        name: 'f',
        status: 'failed',
        duration: 9,
        ...call
      }
    ],
    groups: [],
    ...more
  };
}

/** A view of it. */
export function drawn(
  given: unknown,
  controls = new Controls()
): [HTMLElement, Controls, RequestView] {
  const view = new RequestView(controls, english);
  expect(view.show(given)).toBe(true);
  return [view.node, controls, view];
}
