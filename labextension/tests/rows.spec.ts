/** Many siblings as one row: what it says of how long they took. */

import { grouped } from '../src/model/rows';
import { readCall } from '../src/protocol/protocol';
import { groupText, lasting } from '../src/view/words';
import { english } from './english';

const HOUR = 3600;

/** 60 calls of two seconds each, `at` gives when one began and in which run. */
function sixty(at: (n: number) => [number, number]) {
  const calls = Array.from({ length: 60 }, (_, n) => {
    const [started_at, run] = at(n);
    const base = { id: n + 2, parent: 1, name: 'enrich', status: 'succeeded' };
    return readCall({ ...base, started_at, run, duration: 2, source: 'ran' });
  });
  return grouped(calls);
}

it('tells the span of calls that ran at once, and what they took added up', () => {
  const group = sixty(n => [1000 + 2 * Math.floor(n / 12), 1]);
  expect([group.seconds, group.added_up]).toEqual([10, 120]);
  expect(lasting(group.seconds)).toBe('10 s');
  expect(groupText(group, english)).toBe('60 done · added up 2 min 0 s');
});

it('tells one time of calls that ran one after the other', () => {
  const group = sixty(n => [1000 + 2 * n, 1]);
  expect([group.seconds, group.added_up]).toEqual([120, 120]);
  expect(groupText(group, english)).toBe('60 done');
});

it('leaves out the hours between two runs', () => {
  const group = sixty(n =>
    n < 30 ? [1000 + 2 * n, 1] : [1000 + 5 * HOUR + 2 * n, 2]
  );
  expect([group.started_at, group.seconds]).toEqual([1000, 120]);
});
