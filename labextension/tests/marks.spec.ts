/** Which request a cell owns, and what its mark says. */

import { IOutput, markText, ownedRequest, resumable } from '../src/marks/model';
import { ISnapshot, MIME_TYPE } from '../src/protocol/protocol';
import { english } from './english';

function output(id: string, sequence: number, more: object = {}): IOutput {
  const request = { id, application: 'chain', status: 'failed', run: 1 };
  return {
    type: 'display_data',
    data: {
      [MIME_TYPE]: { version: 1, sequence, at: 100, request, ...more }
    }
  };
}

function owned(...outputs: IOutput[]): ISnapshot | null {
  const found = ownedRequest({
    length: outputs.length,
    get: at => outputs[at]
  });
  return found?.head ?? null;
}

function text(status: string, counts: object): string {
  const snapshot = owned(output('req_1', 1, { counts }));
  return snapshot === null ? '' : markText(snapshot, status, english).text;
}

describe('a cell owns', () => {
  it('the newest request it shows, wherever that output stands', () => {
    const found = owned(output('req_2', 5), output('req_1', 3));
    expect(found?.request.id).toBe('req_2');
  });

  it('not a fork that it shows beside the original', () => {
    const request = { id: 'req_2', status: 'succeeded', forked_from: 'req_1' };
    const found = owned(output('req_1', 3), output('req_2', 5, { request }));
    expect(found?.request.id).toBe('req_1');
    expect(owned(output('req_2', 5, { request }))?.request.id).toBe('req_2');
  });

  it('not the request that is its value', () => {
    const value = { ...output('req_1', 1), type: 'execute_result' };
    expect(owned(value)).toBeNull();
  });

  it.each([null, 7, 'text', [], {}, { version: 99, request: { id: 'a' } }])(
    'nothing, where the output holds %j',
    foreign => {
      const given = { type: 'display_data', data: { [MIME_TYPE]: foreign } };
      expect(owned(given)).toBeNull();
    }
  );
});

describe('a mark says', () => {
  it('"resume" for what was running when it was last shown', () => {
    expect(resumable('last seen running')).toBe(true);
  });

  it.each([
    ['failed', {}, 'failed'],
    ['failed', { reused: 1200 }, 'failed · 1,200 from checkpoint'],
    ['succeeded', {}, 'succeeded'],
    ['succeeded', { reused: 14 }, '14 from checkpoint']
  ])('%s with %j as "%s"', (status, counts, said) => {
    expect(text(status, counts)).toBe(said);
  });

  it.each(['succeeded', 'running', 'queued', 'waiting'])(
    'no "resume" for what is %s',
    status => {
      expect(resumable(status)).toBe(false);
    }
  );
});
