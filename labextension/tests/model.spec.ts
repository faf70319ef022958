/** What a view shows of a snapshot, without a page. */

import { Axis } from '../src/model/axis';
import { Model, MOST_ROWS, PAGE } from '../src/model/model';
import { readPage } from '../src/protocol/answers';
import { readSnapshot } from '../src/protocol/protocol';

interface IGiven {
  id: number;
  parent: number;
  [field: string]: unknown;
}

function snapshot(calls: IGiven[], more: Record<string, unknown> = {}) {
  const request = {
    id: 'req_1',
    application: 'app',
    kind: 'function_call',
    status: 'succeeded',
    run: 1,
    ...(more.request as object)
  };
  const made = calls.map(call => ({
    depth: call.parent === 0 ? 0 : 1,
    label: `f[${call.id}]`,
    name: 'f',
    kind: 'function_call',
    status: 'succeeded',
    source: 'ran',
    children: 0,
    ...call
  }));
  const found = readSnapshot({
    version: 1,
    sequence: 1,
    at: 100,
    ...more,
    request,
    calls: made
  });
  if (found === null) {
    throw new Error('no snapshot');
  }
  return found;
}

const root = { id: 1, parent: 0, name: 'app', label: 'app[0]', children: 3 };

function shown(model: Model): string[] {
  return model.rows().map(row => row.call?.label ?? row.key);
}

describe('a model', () => {
  it('shows first, of the request itself, what went wrong in or below', () => {
    const model = new Model(() => 100);
    const failed = { status: 'failed' };
    model.take(
      snapshot([
        { ...root, children: 4, ...failed },
        { id: 2, parent: 1, name: 'a' },
        { id: 3, parent: 1, name: 'b', children: 2 },
        { id: 4, parent: 3, depth: 2, name: 'c' },
        { id: 5, parent: 3, depth: 2, name: 'd', ...failed },
        { id: 6, parent: 1, name: 'e' },
        { id: 7, parent: 1, name: 'g', status: 'cancelled' }
      ])
    );
    expect(shown(model)).toEqual([
      'app[0]',
      'f[3]',
      'f[4]',
      'f[5]',
      'f[7]',
      'f[2]',
      'f[6]'
    ]);
  });

  it('keeps the calls it knows when a later state comes without them', () => {
    const model = new Model(() => 100);
    model.take(snapshot([root, { id: 2, parent: 1 }]));
    const request = { status: 'running' };
    model.take(snapshot([], { sequence: 2, partial: true, request }));
    expect(model.snapshot?.calls.length).toBe(2);
    expect(model.snapshot?.request.status).toBe('running');
    const another = { run: 2, status: 'running' };
    model.take(snapshot([], { sequence: 3, partial: true, request: another }));
    expect(model.snapshot?.calls.length).toBe(0);
  });

  it('shows calls below their callers, in program order', () => {
    const model = new Model(() => 100);
    model.take(
      snapshot([
        { ...root, children: 2 },
        { id: 3, parent: 1, children: 1 },
        { id: 9, parent: 3, depth: 2 },
        { id: 2, parent: 1 }
      ])
    );
    expect(shown(model)).toEqual(['app[0]', 'f[3]', 'f[9]', 'f[2]']);
  });

  it('leaves a late snapshot alone', () => {
    const model = new Model(() => 100);
    expect(
      model.take(snapshot([{ ...root, children: 0 }], { sequence: 5 }))
    ).toBe(true);
    expect(model.take(snapshot([], { sequence: 4 }))).toBe(false);
    expect(shown(model)).toEqual(['app[0]']);
  });

  it('says how many calls are not here, and asks for a page of all', () => {
    const model = new Model(() => 100);
    const wanted = jest.fn();
    model.wanted = wanted;
    model.take(
      snapshot([
        { ...root, children: 120 },
        { id: 2, parent: 1, name: 'g', label: 'g[0]' }
      ])
    );
    const rest = model.rows()[2];
    expect([rest.type, rest.offset, rest.total]).toEqual(['rest', 119, 120]);
    model.turn(rest, 0);
    expect(wanted).toHaveBeenCalledWith({
      parent: 1,
      name: '',
      kind: '',
      offset: 0
    });
  });

  it('shows many siblings as one row, and a page of them when it opens', () => {
    const model = new Model(() => 100);
    const many = Array.from({ length: 60 }, (_, n) => ({
      id: n + 2,
      parent: 1
    }));
    model.take(snapshot([root, ...many]));
    const [, group] = model.rows();
    expect(group.group?.total).toBe(60);
    expect(model.rows()).toHaveLength(2);
    model.toggle(group);
    expect(model.rows()).toHaveLength(2 + PAGE + 1);
    expect(model.rows()[2 + PAGE]).toMatchObject({ type: 'more', total: 60 });
  });

  it('asks for what a group holds, and shows the page that comes', () => {
    const model = new Model(() => 100);
    const asked: unknown[] = [];
    model.wanted = page => asked.push(page);
    const group = { parent: 2, name: 'g', kind: 'map_item', total: 1000 };
    const map = { id: 2, parent: 1, kind: 'map', name: 'g', children: 1000 };
    model.take(snapshot([{ ...root, children: 1 }, map], { groups: [group] }));
    expect(model.rows()).toHaveLength(2);
    model.toggle(model.rows()[1]);
    const page = { parent: 2, name: 'g', kind: 'map_item', offset: 0 };
    expect(asked).toEqual([page]);
    const call = { id: 7, parent: 2, label: 'f[7]' };
    model.takePage(page, readPage({ calls: [call, call], total: 1000 }));
    expect(model.rows()).toHaveLength(4);
    expect(shown(model)[2]).toBe('f[7]');
  });

  it('never has more rows than its limit', () => {
    const model = new Model(() => 100);
    const deep = Array.from({ length: 1500 }, (_, n) => ({
      id: n + 2,
      parent: n + 1,
      children: 1,
      status: 'failed'
    }));
    model.take(snapshot([root, ...deep]));
    expect(model.rows().length).toBeLessThanOrEqual(MOST_ROWS + 1);
  });

  it('keeps callers of what a filter lets through', () => {
    const model = new Model(() => 100);
    model.take(
      snapshot([
        root,
        { id: 2, parent: 1, children: 1 },
        { id: 3, parent: 2, depth: 2, status: 'failed' },
        { id: 4, parent: 1, arguments: '("a needle")' }
      ])
    );
    model.filter(true, '');
    expect(shown(model)).toEqual(['app[0]', 'f[2]', 'f[3]']);
    model.filter(false, 'NEEDLE');
    expect(shown(model)).toEqual(['app[0]', 'f[4]']);
  });

  it('says of an old running request that it was last seen so, until somebody confirms', () => {
    const request = { status: 'running' };
    const model = new Model(() => 5000);
    model.take(snapshot([root], { request }));
    expect(model.status).toBe('last seen running');
    model.confirm();
    expect(model.status).toBe('running');
    model.doubt();
    expect(model.status).toBe('last seen running');
  });
});

describe('a snapshot', () => {
  it.each([
    null,
    undefined,
    3,
    'x',
    [],
    {},
    { version: 2, request: { id: 'req_1' } },
    { version: 1, request: null }
  ])('%j is none', value => {
    expect(readSnapshot(value)).toBeNull();
  });

  it('of fields of wrong types has empty ones', () => {
    const found = readSnapshot({
      version: 1,
      request: { id: 'r', status: {} },
      calls: [null, { id: 1, logs: 3, duration: NaN }],
      groups: {}
    });
    expect(found?.calls).toHaveLength(1);
    expect(found?.calls[0]).toMatchObject({ logs: [], duration: null });
    expect(found?.request.status).toBe('');
    expect(found?.groups).toEqual([]);
  });

  it('is a tree: circles, repeated and lost calls are left out', () => {
    const found = snapshot([
      { id: 0, parent: 0 },
      root,
      { id: 2, parent: 2 },
      { id: 3, parent: 4 },
      { id: 4, parent: 3 },
      { id: 5, parent: 1 },
      { id: 5, parent: 1 },
      { id: -1, parent: 1 },
      { id: 0.5, parent: 1 }
    ]);
    expect(found.calls.map(call => call.id)).toEqual([1, 5]);
  });
});

describe('the time axis', () => {
  it('shortens idle time', () => {
    const axis = new Axis([
      { start: 0, end: 10 },
      { start: 100000, end: 100010 }
    ]);
    expect(axis.seconds).toBeLessThan(22);
    expect(axis.at(0)).toBe(0);
    expect(axis.at(5)).toBeCloseTo(5 / axis.seconds);
    expect(axis.at(100010)).toBe(1);
  });
});
