/** The fold is the kernel's: the golden file of core/calltree.py. */

import golden from '../../tests/golden/calltree.json';
import { CallRecord, CallTree, ITree, spoken } from '../src/model/calltree';

interface IGolden {
  name: string;
  run: number;
  live: boolean;
  records: CallRecord[];
  tree: ITree | null;
}

const cases = golden as unknown as IGolden[];

function withoutFingerprints(tree: ITree | null): unknown {
  return (
    tree && {
      ...tree,
      calls: tree.calls.map(call => ({ ...call, fingerprint: '' }))
    }
  );
}

function folded(one: IGolden, records: CallRecord[]): unknown {
  const tree = new CallTree();
  tree.apply(records);
  return withoutFingerprints(tree.tree(one.run, one.live));
}

describe('the fold', () => {
  it.each(cases.map(one => [one.name, one] as const))('%s', (_, one) => {
    expect(folded(one, one.records)).toEqual(withoutFingerprints(one.tree));
  });

  it.each(
    cases
      .filter(one => !one.records.some(record => record.type === 'Logged'))
      .map(one => [one.name, one] as const)
  )('%s: in another order, each record twice', (_, one) => {
    const records = [...one.records].reverse();
    expect(folded(one, [...records, ...records])).toEqual(
      withoutFingerprints(one.tree)
    );
  });

  it.each([
    [0, '0.0 s'],
    [9.94, '9.9 s'],
    [12.4, '12 s'],
    [192, '3 min 12 s'],
    [7500, '2 h 5 min']
  ])('%d seconds are said as %s', (seconds, text) => {
    expect(spoken(seconds)).toBe(text);
  });
});
