/** The list of requests, and when it is asked for. */

import { readListed, Requests } from '../src/requests/requests';
import { IServer, Query } from '../src/requests/server';

class Answers implements IServer {
  asked: Query[] = [];
  answer: unknown = { requests: [], running: 0 };
  fails: string | null = null;

  async get(path: string, query: Query = {}): Promise<unknown> {
    this.asked.push(query);
    if (this.fails !== null) {
      throw new Error(this.fails);
    }
    return this.answer;
  }

  async post(): Promise<unknown> {
    return null;
  }
}

const one = { store: 's', id: 'req_1', application: 'a', status: 'running' };

describe('what is read', () => {
  it('is never of a wrong type', () => {
    const [read] = readListed([
      { ...one, runs: '3', pinned: 'yes', notebook: 7, saved: NaN, error: {} }
    ]);
    expect(read).toEqual(expect.objectContaining(one));
    expect([read.runs, read.pinned, read.notebook, read.saved]).toEqual([
      0,
      false,
      null,
      0
    ]);
    expect(read.error).toBeNull();
  });

  it.each([null, 7, 'x', {}, [null, 7, [], {}, { id: 3 }]])(
    'is nothing where there is nothing: %j',
    value => {
      expect(readListed(value)).toEqual([]);
    }
  );

  it('has each request once', () => {
    expect(readListed([one, { ...one, store: 't' }, one])).toHaveLength(2);
  });
});

describe('requests', () => {
  let server: Answers;
  let requests: Requests;

  beforeEach(() => {
    jest.useFakeTimers();
    server = new Answers();
    requests = new Requests(server);
  });

  afterEach(() => {
    requests.dispose();
    jest.useRealTimers();
  });

  it('are asked for every ten seconds, and every two while something runs', async () => {
    requests.start();
    await jest.advanceTimersByTimeAsync(100);
    const first = server.asked.length;
    expect(first).toBeGreaterThanOrEqual(1);
    await jest.advanceTimersByTimeAsync(20_000);
    expect(server.asked.length - first).toBe(2);
    server.answer = { requests: [one], running: 1 };
    await requests.refresh();
    expect([requests.running, requests.list.length]).toEqual([1, 1]);
    const then = server.asked.length;
    await jest.advanceTimersByTimeAsync(20_000);
    expect(server.asked.length - then).toBeGreaterThanOrEqual(9);
    expect(server.asked.length - then).toBeLessThanOrEqual(11);
  });

  it('are asked for as seldom as the user prefers', async () => {
    requests.start();
    await jest.advanceTimersByTimeAsync(100);
    requests.pace(40);
    const first = server.asked.length;
    await jest.advanceTimersByTimeAsync(80_000);
    expect(server.asked.length - first).toBe(2);
  });

  it('are no longer asked for when the last one who looks has gone', async () => {
    requests.start();
    requests.start();
    await jest.advanceTimersByTimeAsync(100);
    requests.stop();
    const then = server.asked.length;
    await jest.advanceTimersByTimeAsync(10_500);
    expect(server.asked.length).toBeGreaterThan(then);
    requests.stop();
    const end = server.asked.length;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(server.asked.length).toBe(end);
  });

  it('stay when the server does not answer, with the reason', async () => {
    let told = 0;
    requests.changed.connect(() => (told += 1));
    server.answer = { requests: [one], running: 1 };
    await requests.refresh();
    server.fails = 'gone; start it again';
    await requests.refresh();
    expect(requests.refusal).toBe('gone; start it again');
    expect(requests.list).toHaveLength(1);
    server.fails = null;
    await requests.refresh();
    expect(requests.refusal).toBeNull();
    expect(told).toBe(3);
  });

  it('are those that were wanted last, however late an older answer comes', async () => {
    const waiting: ((value: unknown) => void)[] = [];
    server.get = () => new Promise(resolve => waiting.push(resolve));
    const old = requests.want({ text: 'old' });
    const fresh = requests.want({ text: 'new' });
    waiting[1]({ requests: [one], running: 1 });
    await fresh;
    waiting[0]({ requests: [], running: 0 });
    await old;
    expect(requests.list).toHaveLength(1);
  });
});
