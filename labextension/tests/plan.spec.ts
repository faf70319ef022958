/**
 * @jest-environment jsdom
 */
/** What a replay would do: the sum first, and a table in which many calls are one row. */

import { planTable } from '../src/view/plan';
import { english } from './english';

const ANSWER = {
  rows: [
    { call: 'cell', action: 'executed', why: '', saved: 0 },
    { call: '  parse ×997', action: 'reused', why: '', saved: 199.4 },
    { call: '  parse[7]', action: 'executed', why: 'failed', saved: 0 }
  ],
  counts: { reused: 997, executed: 3, depending: 0, marks: [] },
  saved: 199.4,
  more: 0
};

const texts = (node: HTMLElement, selector: string) =>
  [...node.querySelectorAll(selector)].map(each => each.textContent);

describe('the plan of a replay', () => {
  it('begins with its sum', () => {
    const node = planTable(ANSWER, english);
    expect(node.firstElementChild?.textContent).toBe(
      '997 reused · 3 executed · saves 3 min 19 s'
    );
    expect(texts(node, 'tbody td:first-child')).toEqual([
      'cell',
      '  parse ×997',
      '  parse[7]'
    ]);
  });

  it('says what is to know of the reused calls, and how many rows it leaves out', () => {
    const counts = {
      reused: 2,
      executed: 1,
      depending: 4,
      marks: [['code changed', 2]]
    };
    const node = planTable(
      { ...ANSWER, counts, saved: 0, more: 1200 },
      english
    );
    expect(node.firstElementChild?.textContent).toBe(
      '2 reused · 1 executed · 4 by their arguments · 2 reused though code changed'
    );
    expect(node.lastElementChild?.textContent).toBe('and 1,200 more');
  });

  it('leaves out what would save no time to speak of', () => {
    const rows = [
      { call: 'f', action: 'reused', why: '', saved: 0.04 },
      { call: 'g', action: 'reused', why: '', saved: 0.05 }
    ];
    const node = planTable({ ...ANSWER, rows }, english);
    const saves = [...node.querySelectorAll('tbody td:last-child')];
    expect(saves.map(each => each.textContent)).toEqual(['', '0.1 s']);
  });

  it('has no column of what is saved where nothing is', () => {
    const rows = [
      { call: 'f', action: 'executed', why: 'failed', saved: 0.04 }
    ];
    const node = planTable({ ...ANSWER, rows }, english);
    expect(texts(node, 'thead th')).toEqual(['Call', 'In a replay', 'Why']);
    expect(texts(node, 'tbody td')).toEqual(['f', 'executed', 'failed']);
  });

  it('believes nothing: what is no plan is an empty one', () => {
    for (const answer of [null, 3, { rows: 'x', counts: [], marks: 1 }, {}]) {
      const node = planTable(answer, english);
      expect(node.firstElementChild?.textContent).toBe('0 reused · 0 executed');
      expect(node.querySelectorAll('tbody tr')).toHaveLength(0);
    }
  });
});
