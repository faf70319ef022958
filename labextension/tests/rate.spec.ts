/** How fast something gets on, by a clock of the test's. */

import { Paces } from '../src/model/pace';
import { ISnapshot, readSnapshot } from '../src/protocol/protocol';
import { Rate, secondsLeft } from '../src/model/rate';
import { progressText, rateText } from '../src/view/words';
import { english as trans } from './english';

function rated(samples: [number, number][]): Rate {
  const rate = new Rate();
  samples.forEach(([at, done]) => rate.add(at, done));
  return rate;
}

describe('a rate', () => {
  it('is what was done between the first and the last snapshot of the last while', () => {
    expect(
      rated([
        [100, 0],
        [102, 6],
        [104, 12]
      ]).perSecond
    ).toBe(3);
  });

  it('is not known from one snapshot, within a second, or while nothing gets on', () => {
    expect(new Rate().perSecond).toBeNull();
    expect(rated([[100, 5]]).perSecond).toBeNull();
    expect(
      rated([
        [100, 0],
        [100.9, 5]
      ]).perSecond
    ).toBeNull();
    expect(
      rated([
        [100, 5],
        [110, 5]
      ]).perSecond
    ).toBeNull();
  });

  it('follows when the work becomes slower', () => {
    const fast: [number, number][] = [0, 1, 2, 3].map(n => [n, n * 100]);
    const slow: [number, number][] = [4, 10, 18, 26, 34].map(n => [n, 300 + n]);
    expect(rated([...fast, ...slow]).perSecond).toBe(1);
  });

  it('begins anew when a new attempt begins at nothing', () => {
    expect(
      rated([
        [0, 0],
        [10, 1000],
        [11, 0],
        [13, 4]
      ]).perSecond
    ).toBe(2);
  });

  it('leaves a snapshot alone that is not newer', () => {
    expect(
      rated([
        [0, 0],
        [2, 4],
        [2, 400],
        [1, 0]
      ]).perSecond
    ).toBe(2);
  });
});

describe('words of progress', () => {
  it('give what is done, the rate and the time that is left', () => {
    const pace = { current: 12, total: 40, perSecond: 3.111 };
    expect(secondsLeft(pace)).toBeCloseTo(9);
    expect(progressText(pace, trans)).toBe('12 of 40 · 3.1/s · about 9 s left');
  });

  it('promise nothing where nothing is known, and nothing at the end', () => {
    const done = { current: 40, total: 40, perSecond: 3 };
    expect(progressText({ ...done, current: 12, perSecond: null }, trans)).toBe(
      '12 of 40'
    );
    expect(progressText(done, trans)).toBe('40 of 40');
  });

  it.each([
    [1234.5, '1,235/s'],
    [3.14, '3.1/s'],
    [0.2, '12/min'],
    [0.001, '3.6/h']
  ])('%d a second are %s', (perSecond, said) => {
    expect(rateText(perSecond)).toBe(said);
  });
});

describe('the pace of a request', () => {
  const at = (seconds: number, succeeded: number, kind = 'map_item') =>
    readSnapshot({
      version: 1,
      at: seconds,
      request: { id: 'req_1', status: 'running', run: 1 },
      calls: [],
      groups: [
        {
          parent: 1,
          name: 'f',
          kind,
          total: 100,
          succeeded,
          failed: 2,
          running: 8,
          queued: 90 - succeeded
        }
      ]
    }) as ISnapshot;

  it('is that of the items of its map, by the times of the snapshots', () => {
    const paces = new Paces();
    [0, 1, 2, 3].forEach(n => paces.measure(at(1000 + n, n * 4)));
    expect(paces.overall(at(1003, 12))).toEqual({
      current: 14,
      total: 100,
      perSecond: 4
    });
  });

  it('is not guessed where nobody knows how many calls there will be', () => {
    const paces = new Paces();
    paces.measure(at(1000, 4, 'function_call'));
    expect(paces.overall(at(1000, 4, 'function_call'))).toBeNull();
  });
});
