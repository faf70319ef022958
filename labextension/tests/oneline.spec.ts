/** The one line of a folded view: what came of the request, and where it ended. */

import { readSnapshot } from '../src/protocol/protocol';
import { inOneLine } from '../src/view/words';
import { english } from './english';

type Call = Record<string, unknown>;

function line(request: Call, counts: Call, calls: Call[] = []): string {
  const root = { id: 1, parent: 0, depth: 0, label: 'whole[0]' };
  const read = readSnapshot({
    version: 1,
    sequence: 1,
    at: 9,
    display: '',
    request: { id: 'req_1', run: 1, ...request },
    counts,
    calls: [
      { ...root, status: request.status },
      ...calls.map((call, n) => ({ id: n + 2, parent: 1, depth: 1, ...call }))
    ],
    groups: []
  });
  if (read === null) {
    throw new Error('no snapshot');
  }
  return inOneLine(read, english);
}

const FAILED = { status: 'failed', error: 'RuntimeError: no answer' };
const TRACE = 'Traceback…\nRuntimeError: no\nanswer';

describe('the one line', () => {
  it('names the innermost call whose error ended the request, the last of several', () => {
    const calls = [
      { label: 'part[0]', status: 'failed', error: TRACE },
      { label: 'outer[1]', status: 'failed', error: TRACE },
      { label: 'part[2]', parent: 3, depth: 2, status: 'failed', error: TRACE },
      { label: 'later[0]', status: 'failed', error: 'OSError: other' }
    ];
    const counts = { reused: 14, executed: 4, failed: 3, saved: 192 };
    expect(line(FAILED, counts, calls)).toBe(
      '14 from checkpoint · 4 ran · 3 failed · saved 3 min 12 s · part[2]: RuntimeError: no answer'
    );
  });

  it.each([
    ['succeeded', '60 calls · all from checkpoint', ''],
    ['failed', '60 from checkpoint · 0 ran', ' · RuntimeError: no answer'],
    ['cancelled', '60 from checkpoint · 0 ran', '']
  ])(
    'of a %s one says what it saved in metrics, too',
    (status, before, after) => {
      const tokens = [['counter', 'tokens', 41200]];
      const saved = (counts: Call) =>
        line({ ...FAILED, status }, { reused: 60, ...counts });
      expect(saved({ saved: 192, saved_metrics: tokens })).toBe(
        `${before} · saved 3 min 12 s · 41,200 tokens${after}`
      );
      expect(saved({ saved: 0.01, saved_metrics: tokens })).toBe(
        `${before} · saved 41,200 tokens${after}`
      );
      expect(saved({ saved: 0.01 })).toBe(`${before}${after}`);
    }
  );

  it('of a body that failed by itself says the error alone', () => {
    expect(
      line(FAILED, { executed: 2, failed: 1 }, [
        { label: 'part[0]', status: 'failed', error: 'OSError: other' }
      ])
    ).toBe('2 ran · 1 failed · RuntimeError: no answer');
  });

  it.each(['cancelled', 'interrupted'])('of a %s one says where', status => {
    const calls = [{ label: 'part[3]', status }];
    expect(line({ status }, { executed: 3 }, calls)).toBe(
      `3 ran · ${status} in part[3]`
    );
  });

  it('of a success says failures that were dealt with', () => {
    expect(line({ status: 'succeeded' }, { executed: 3, failed: 1 })).toBe(
      '3 calls · all ran · 1 failed'
    );
  });

  it('of one that was last seen running says how far it was', () => {
    const counts = { reused: 2, executed: 3, running: 1 };
    expect(line({ status: 'running' }, counts)).toBe(
      '2 from checkpoint · 3 ran · 1 running'
    );
  });

  it('shows foreign text as text', () => {
    const error = '\u202eRuntimeError: <img src=x>';
    const named = [['counter', '\u202e<b>', 1]];
    expect(
      line({ status: 'failed', error }, { executed: 1, saved_metrics: named })
    ).toBe('1 ran · saved 1 \\u202e<b> · \\u202eRuntimeError: <img src=x>');
  });
});
