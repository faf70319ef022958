/** Which request a cell owns, and what its mark says. */

import {
  IOutput,
  markText,
  ownedRequest,
  resumable,
  statusNow
} from '../src/marks/model';
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
  return ownedRequest({ length: outputs.length, get: at => outputs[at] });
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

describe('a request that was running when it was last shown', () => {
  const request = { id: 'req_1', status: 'running' };
  const snapshot = owned(output('req_1', 1, { request })) as ISnapshot;

  it('runs while its cell executes, and while news come', () => {
    expect(statusNow(snapshot, true, 900)).toBe('running');
    expect(statusNow(snapshot, false, 102)).toBe('running');
  });

  it('is last seen running otherwise, and can be resumed', () => {
    expect(statusNow(snapshot, false, 900)).toBe('last seen running');
    expect(resumable('last seen running')).toBe(true);
  });
});

describe('a mark says', () => {
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
