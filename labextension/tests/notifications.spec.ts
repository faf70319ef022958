/** Which ends of runs are news: each once, whoever saw it, and only what was seen to run. */

import { Ends, ISighting } from '../src/notifications/ends';

function sighting(status: string, more: Partial<ISighting> = {}): ISighting {
  const ended = status !== 'running';
  return {
    id: 'req_1',
    run: 1,
    application: 'chain',
    status,
    error: '',
    started: 100,
    finished: ended ? 140 : null,
    ...more
  };
}

describe('an end', () => {
  it('is told once, with how long the run lasted', () => {
    const ends = new Ends();
    expect(ends.see(sighting('running'), 101)).toBeNull();
    expect(ends.see(sighting('succeeded'), 141)?.lasted).toBe(40);
    expect(ends.see(sighting('succeeded'), 142)).toBeNull();
  });

  it('is not told again when an old sighting comes late', () => {
    const ends = new Ends();
    ends.see(sighting('running'), 101);
    ends.see(sighting('failed'), 141);
    ends.see(sighting('running'), 142);
    expect(ends.see(sighting('failed'), 143)).toBeNull();
  });

  it('is no news when nobody saw it run', () => {
    const ends = new Ends();
    expect(ends.see(sighting('succeeded'), 141)).toBeNull();
  });

  it('belongs to its run: a replay ends anew', () => {
    const ends = new Ends();
    ends.see(sighting('running'), 101);
    ends.see(sighting('failed'), 141);
    const again = { run: 2, started: null };
    ends.see(sighting('running', again), 200);
    const told = ends.see(
      sighting('succeeded', { ...again, finished: 207 }),
      208
    );
    expect(told?.lasted).toBe(7);
  });
});
