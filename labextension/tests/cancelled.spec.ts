/**
 * @jest-environment jsdom
 */
/** What is said of a request that was cancelled. */

import { RequestRow } from '../src/panel/rows';
import { readOne } from '../src/requests/requests';
import { drawn, now, snapshot } from './drawn';
import { english } from './english';

const CANCELLED =
  'Cancelled: request req_1 was cancelled; what had succeeded is kept: replay it to go on';

describe('a cancel is said once', () => {
  it('in the state of a view: the cell says how to go on; a failure has its words', () => {
    const message = (status: string, error: string) => {
      const request = { id: 'req_1', application: 'app', status, error };
      const [node] = drawn(snapshot({}, { request }));
      return node.querySelector('.jp-durable-message')?.textContent;
    };
    expect(message('cancelled', CANCELLED)).toBe('');
    expect(message('failed', 'ValueError: no')).toContain('ValueError: no');
  });

  it('in the state of a row of the panel, which tells how its calls went', () => {
    const told = (status: string, error: string) => {
      const given = { id: 'req_1', status, error, executed: 12 };
      const acts = { open: jest.fn(), menu: jest.fn(), first: () => null };
      const row = new RequestRow(acts, english);
      row.update(readOne(given), now);
      return row.node.querySelector('.jp-durable-listed-calls')?.textContent;
    };
    expect(told('cancelled', CANCELLED)).toBe('12 ran');
    expect(told('failed', 'ValueError: no')).toBe('ValueError: no');
  });
});
