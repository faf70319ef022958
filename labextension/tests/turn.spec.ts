/** What waits for the kernel: with a clock and a kernel of the test's own. */

import { Turn } from '../src/requests/turn';

let busy: boolean;
let turn: Turn;
let acted: string[];
let told: boolean[];

beforeEach(() => {
  jest.useFakeTimers();
  busy = true;
  acted = [];
  told = [];
  turn = new Turn(() => busy);
  turn.onChange(() => told.push(turn.queued));
});

afterEach(() => jest.useRealTimers());

describe('what waits for the kernel', () => {
  it('begins at once when the kernel is free', () => {
    busy = false;
    turn.whenFree(() => acted.push('one'));
    expect(acted).toEqual(['one']);
    expect(told).toEqual([]);
  });

  it('begins once when the kernel is free, though nobody said that it is', () => {
    turn.whenFree(() => acted.push('one'));
    jest.advanceTimersByTime(60_000);
    expect(turn.queued).toBe(true);
    expect(acted).toEqual([]);
    busy = false;
    jest.advanceTimersByTime(1000);
    turn.look();
    expect(acted).toEqual(['one']);
    expect(told).toEqual([true, false]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('begins as soon as somebody says that the kernel is free', () => {
    turn.whenFree(() => acted.push('one'));
    turn.look();
    expect(acted).toEqual([]);
    busy = false;
    turn.look();
    expect(acted).toEqual(['one']);
  });

  it('never begins when it was withdrawn', () => {
    turn.whenFree(() => acted.push('one'));
    turn.withdraw();
    busy = false;
    jest.advanceTimersByTime(1000);
    expect(acted).toEqual([]);
    expect(told).toEqual([true, false]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('gives way to what comes later', () => {
    turn.whenFree(() => acted.push('one'));
    turn.whenFree(() => acted.push('two'));
    busy = false;
    jest.advanceTimersByTime(1000);
    expect(acted).toEqual(['two']);
  });

  it('may wait again from within', () => {
    turn.whenFree(() => {
      busy = true;
      turn.whenFree(() => acted.push('two'));
    });
    busy = false;
    turn.look();
    expect(turn.queued).toBe(true);
    busy = false;
    turn.look();
    expect(acted).toEqual(['two']);
  });

  it('is told of no more by who does not listen', () => {
    const heard: boolean[] = [];
    turn.onChange(() => heard.push(turn.queued))();
    turn.whenFree(() => undefined);
    expect(heard).toEqual([]);
  });
});
