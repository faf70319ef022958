/** What the server's own page offers of a request, by what its token may do and who can run it. */

import { OnServer, PageControls } from '../src/page/controls';
import { readOne } from '../src/requests/requests';
import { IServer } from '../src/requests/server';
import { Verb } from '../src/view/controls';
import { english } from './english';

class Asked implements IServer {
  said: unknown[] = [];

  async get(path: string, query?: unknown): Promise<unknown> {
    this.said.push([path, query]);
    return null;
  }

  async post(path: string, body?: unknown): Promise<unknown> {
    this.said.push([path, body]);
    return null;
  }
}

function one(deployed: boolean): OnServer {
  return { ...readOne({ id: 'req_1' }), deployed };
}

const ACTS: Verb[] = ['cancel', 'replay', 'fork', 'debug', 'answer'];

describe('controls of the page', () => {
  it('offer nothing that changes anything to who may only look', () => {
    const controls = new PageControls(one(true), new Asked(), false, english);
    expect(ACTS.filter(verb => controls.offers(verb, false))).toEqual([]);
    expect(controls.offers('preview', false)).toBe(true);
  });

  it('offer Cancel and whole replays to who may act', () => {
    const controls = new PageControls(one(true), new Asked(), true, english);
    const offered = ACTS.filter(verb => controls.offers(verb, false));
    expect(offered).toEqual(['cancel', 'replay']);
    expect(controls.offers('replay', true)).toBe(false);
    expect(controls.refusal('replay')).toBeNull();
  });

  it('say where a request of a notebook is replayed, and ask for nothing', async () => {
    const server = new Asked();
    const controls = new PageControls(one(false), server, true, english);
    expect(controls.refusal('replay')).toContain('durable replay req_1');
    await expect(controls.ask('replay', {})).rejects.toThrow('in a notebook');
    expect(server.said).toEqual([]);
    expect(controls.refusal('cancel')).toBeNull();
  });

  it('send what was asked for and no more, and tell when it is done', async () => {
    const server = new Asked();
    const controls = new PageControls(one(true), server, true, english);
    controls.acted = jest.fn();
    const content = { request: 'req_1', display: 'd', strict: true };
    await controls.ask('replay', content);
    await controls.ask('detail', { request: 'req_1', display: 'd', call: 7 });
    expect(server.said).toEqual([
      ['requests/req_1/replay', { strict: true, latest: false }],
      ['requests/req_1/detail', { call: 7 }]
    ]);
    expect(controls.acted).toHaveBeenCalledTimes(1);
  });
});
