/** What the panel says of a request in two lines: where it is from, and how its calls went. */

import { callsText, exportRefusal, placeText } from '../src/panel/listed';
import { readOne } from '../src/requests/requests';
import { english } from './english';

const NOW = 1_000_000;

describe('how the calls of a request went', () => {
  const calls = (given: object) => callsText(readOne({ ...given }), english);

  it('is said with what a replay saved in time and in metrics', () => {
    const tokens = [['counter', 'tokens', 41200]];
    const reused = { reused: 60, executed: 4 };
    expect(calls({ ...reused, saved: 192, saved_metrics: tokens })).toBe(
      '60 from checkpoint · 4 ran · saved 3 min 12 s · 41,200 tokens'
    );
    expect(calls({ ...reused, saved: 0.01, saved_metrics: tokens })).toBe(
      '60 from checkpoint · 4 ran · saved 41,200 tokens'
    );
    expect(calls(reused)).toBe('60 from checkpoint · 4 ran');
  });

  it.each([null, 'tokens', [null], { counter: 1 }])(
    'is said where the sums are %j',
    saved_metrics => {
      expect(calls({ executed: 1, saved_metrics })).toContain('1 ran');
    }
  );
});

describe('the place of a request', () => {
  const place = (given: object) =>
    placeText(readOne({ notebook: '/a/b.ipynb', ...given }), NOW, english);

  it('has the time of its last run, not the hours since its first', () => {
    const twoRuns = {
      status: 'succeeded',
      accepted_at: NOW - 5 * 3600,
      started_at: NOW - 5 * 3600,
      began_at: NOW - 120,
      finished_at: NOW - 113,
      seconds: 7,
      runs: 2
    };
    expect(place(twoRuns)).toBe('b.ipynb · 2 min ago · 7.0 s · 2 runs');
    expect(place({ ...twoRuns, status: 'running', seconds: null })).toBe(
      'b.ipynb · 2 min ago · 2 min 0 s · 2 runs'
    );
  });

  it('of a fork says of what it is one', () => {
    const fork = { began_at: NOW - 7, seconds: 3, forked_from: 'req_0' };
    expect(place(fork)).toBe('b.ipynb · just now · 3.0 s · fork of req_0');
  });
});

describe('the export of the application of a request', () => {
  const refusal = (given: object, shows = true) =>
    exportRefusal(
      readOne({ kind: 'function_call', path: 'a/b.ipynb', ...given }),
      shows,
      english
    );

  it('needs its notebook, in this page', () => {
    expect(refusal({})).toBeNull();
    expect(refusal({ path: null, notebook: '/else/b.ipynb' })).toContain(
      'not among the files'
    );
    expect(refusal({}, false)).toContain('open it first');
  });

  it('is not that of a cell', () => {
    expect(refusal({ kind: 'cell' })).toBe('A cell is no application.');
  });
});
