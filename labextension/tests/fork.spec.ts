/**
 * @jest-environment jsdom
 */
/** Where the input of a fork is written: what was typed stays until the fork has begun. */

import { Fork, ForkEditor, wrongJson } from '../src/view/fork';
import { english } from './english';

function written(fork: Fork, input: string) {
  const editor = new ForkEditor(fork, english);
  document.body.append(editor.node);
  editor.open('[1]');
  const area = editor.node.querySelector('textarea') as HTMLTextAreaElement;
  area.value = input;
  const go = editor.node.querySelector('button') as HTMLButtonElement;
  const wrong = () =>
    editor.node.querySelector('.jp-durable-wrong')?.textContent ?? '';
  return { editor, area, go, wrong };
}

it.each(['{"n": 1', '', '[1,]', 'n=1', '"text"', '3', 'null', '[1] [2]'])(
  'says what is wrong with %s, and keeps it',
  input => {
    const fork = jest.fn();
    const { editor, area, go, wrong } = written(fork, input);
    go.click();
    expect(fork).not.toHaveBeenCalled();
    expect(wrong()).not.toBe('');
    expect(area.value).toBe(input);
    expect(editor.node.hidden).toBe(false);
  }
);

it('keeps what a kernel refuses, with its words, and goes when the fork has begun', () => {
  let answer: string | null = 'app: missing a required argument: n';
  const { editor, area, go, wrong } = written(
    (_, told) => told(answer),
    '{"m": 1}'
  );
  go.click();
  expect(wrong()).toBe('app: missing a required argument: n');
  expect(area.value).toBe('{"m": 1}');
  answer = null;
  go.click();
  expect(editor.node.hidden).toBe(true);
});

it('takes the recorded input also where that comes after it was opened, but over nothing that was typed', () => {
  const { editor, area } = written(jest.fn(), '');
  editor.fill('[3]');
  expect(area.value).toBe('[3]');
  area.value = '[4]';
  editor.fill('[5]');
  expect(area.value).toBe('[4]');
  editor.close();
  area.value = '';
  editor.fill('[6]');
  expect(area.value).toBe('');
  expect(editor.node.hidden).toBe(true);
});

it('has nothing against lists and objects', () => {
  expect(wrongJson('[1, "two"]', english)).toBe('');
  expect(wrongJson('{"n": 1}', english)).toBe('');
});
