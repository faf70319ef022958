/** What is true of a request now: with a clock and witnesses of the test's own. */

import { ISnapshot, readSnapshot } from '../src/protocol/protocol';
import { Live, Lives } from '../src/requests/live';

let now: number;
let refusal: string | null;
let answers: () => unknown;
let asked: string[];

const witness = {
  refusal: () => refusal,
  ask: async (id: string) => {
    asked.push(id);
    return answers();
  }
};

function state(status: string, at: number, more: object = {}) {
  const request = { id: 'req_1', application: 'app', status, run: 1 };
  return { version: 1, sequence: at * 1000, at, request, calls: [], ...more };
}

function read(...given: Parameters<typeof state>): ISnapshot {
  return readSnapshot(state(...given)) as ISnapshot;
}

/** So many seconds pass, with all that is answered in them. */
async function pass(seconds: number): Promise<void> {
  for (let n = 0; n < seconds; n++) {
    now += 1;
    await jest.advanceTimersByTimeAsync(1000);
  }
}

function followed(whole = true): [Live, string[], { seen: boolean }] {
  const live = new Live('req_1', witness, () => now);
  const told: string[] = [];
  const sight = { seen: true };
  live.follow({
    changed: () => told.push(live.status),
    inSight: () => sight.seen,
    whole
  });
  return [live, told, sight];
}

beforeEach(() => {
  jest.useFakeTimers();
  now = 1000;
  refusal = null;
  asked = [];
  answers = () => state('running', now);
});

afterEach(() => jest.useRealTimers());

describe('while outputs come', () => {
  it('nobody is asked', async () => {
    const [live] = followed();
    for (let n = 0; n < 10; n++) {
      live.take(read('running', now));
      await pass(1);
    }
    expect(asked).toEqual([]);
    expect(live.status).toBe('running');
  });

  it('the newest is kept, whoever brought it', async () => {
    const [live] = followed();
    live.take(read('succeeded', now));
    expect(live.take(read('running', now - 1))).toBe(false);
    expect(live.status).toBe('succeeded');
  });
});

describe('when outputs stop to come', () => {
  it('whoever knows is asked about once a second, until it has ended', async () => {
    const [live, told] = followed();
    live.take(read('running', now));
    await pass(12);
    expect(asked.length).toBeGreaterThan(6);
    expect(asked.length).toBeLessThanOrEqual(12);
    answers = () => state('succeeded', now);
    await pass(2);
    expect(told[told.length - 1]).toBe('succeeded');
    const before = asked.length;
    await pass(30);
    expect(asked).toHaveLength(before);
  });

  it('a kernel that died is seen within seconds', async () => {
    const [live] = followed();
    live.take(read('running', now));
    answers = () => state('interrupted', now);
    await pass(5);
    expect(live.status).toBe('interrupted');
  });

  it('what nobody sees is not asked for, and is when it is seen again', async () => {
    const [live, , sight] = followed();
    live.take(read('running', now));
    sight.seen = false;
    await pass(20);
    expect(asked).toEqual([]);
    sight.seen = true;
    await pass(1);
    expect(asked).toHaveLength(1);
  });

  it('it is doubted where nobody can be asked, and where nobody knows', async () => {
    const [live] = followed();
    live.take(read('running', now));
    refusal = 'No kernel.';
    await pass(4);
    expect(live.status).toBe('last seen running');
    refusal = null;
    answers = () => {
      throw new Error('no such request');
    };
    await pass(4);
    expect(live.unknown).toBe('no such request');
    expect(live.status).toBe('last seen running');
  });

  it('who fails to answer is asked ever less often', async () => {
    const [live] = followed();
    live.take(read('running', now));
    answers = () => {
      throw new Error('busy');
    };
    await pass(300);
    expect(asked.length).toBeLessThan(15);
    answers = () => state('running', now);
    await pass(61);
    expect(live.status).toBe('running');
    expect(live.unknown).toBeNull();
  });

  it('asking takes a small part of the time, however long an answer takes', async () => {
    const [live] = followed();
    live.take(read('running', now));
    answers = () =>
      new Promise(resolve =>
        setTimeout(() => resolve(state('running', now)), 2000)
      );
    await pass(60);
    expect(asked.length).toBeLessThanOrEqual(7);
  });
});

describe('a state that a notebook was saved with', () => {
  it('is not believed while it says "running", and is asked about once', async () => {
    const [live] = followed();
    live.take(read('running', 10));
    expect(live.status).toBe('last seen running');
    answers = () => state('succeeded', now);
    live.look();
    live.look();
    await pass(1);
    expect(live.status).toBe('succeeded');
    expect(asked).toHaveLength(1);
  });

  it('is asked about again when code has run only where it is not known', async () => {
    const [live] = followed();
    live.take(read('failed', 10));
    answers = () => state('failed', now);
    live.look();
    await pass(1);
    live.lookAgain(false);
    live.look();
    await pass(1);
    expect(asked).toHaveLength(1);
    live.lookAgain(true);
    live.look();
    await pass(1);
    expect(asked).toHaveLength(2);
  });

  it('is asked for in full where calls are shown, not for a mark', async () => {
    const [mark] = followed(false);
    mark.take(read('failed', now, { partial: true }));
    await pass(1);
    expect(asked).toEqual([]);
    const [view] = followed();
    view.take(read('failed', now, { partial: true }));
    await pass(1);
    expect(asked).toHaveLength(1);
  });
});

describe('what was begun', () => {
  it('is looked for until it shows, though outputs say nothing of it', async () => {
    const [live] = followed();
    live.take(read('failed', now));
    answers = () => state('failed', now);
    live.expect();
    await pass(3);
    expect(asked.length).toBeGreaterThan(1);
    answers = () => state('succeeded', now);
    await pass(2);
    expect(live.status).toBe('succeeded');
    const before = asked.length;
    await pass(10);
    expect(asked).toHaveLength(before);
  });

  it('is not looked for when it did not begin', async () => {
    const [live] = followed();
    live.take(read('failed', now));
    live.expect();
    live.expectNothing();
    await pass(10);
    expect(asked).toEqual([]);
  });
});

describe('one request', () => {
  it('is one for all that show it, and forgotten with the last of them', () => {
    const lives = new Lives(witness);
    const live = lives.of('req_1');
    const follower = { changed: jest.fn(), inSight: () => true, whole: true };
    const unfollow = live.follow(follower);
    expect(lives.of('req_1')).toBe(live);
    live.take(read('failed', now));
    expect(follower.changed).toHaveBeenCalledTimes(1);
    unfollow();
    expect(lives.of('req_1')).not.toBe(live);
  });

  it('is no other: an answer about another one is none', async () => {
    const [live] = followed();
    live.take(read('failed', 10));
    answers = () =>
      state('succeeded', now, {
        request: { id: 'req_2', status: 'succeeded' }
      });
    live.ask();
    await pass(1);
    expect(live.status).toBe('failed');
    expect(live.certain).toBe(false);
  });
});
