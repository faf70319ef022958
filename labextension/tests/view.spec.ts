/**
 * @jest-environment jsdom
 */
/** What reaches the page: text, as text; elements that stay. */

import { patch, visible } from '../src/view/dom';

describe('foreign text', () => {
  it.each([
    ['\u001b[31mred\u001b[0m', 'red'],
    ['a\u202eb', 'a\\u202eb'],
    ['a\u0000b', 'a\\u0000b'],
    ['a\u200bb\ufeff', 'a\\u200bb\\ufeff'],
    ['two\r\nlines\tand a tab', 'two\nlines\tand a tab'],
    ['naïve 日本 😀', 'naïve 日本 😀']
  ])('%j is shown as %j', (given, shown) => {
    expect(visible(given)).toBe(shown);
  });
});

describe('patching', () => {
  function draw(parent: HTMLElement, keys: string[]): HTMLElement[] {
    patch(
      parent,
      keys,
      key => key,
      () => document.createElement('p'),
      (node, key) => {
        node.textContent = key;
      }
    );
    return Array.from(parent.children) as HTMLElement[];
  }

  it('keeps the elements of known keys, in the order of the items', () => {
    const parent = document.createElement('div');
    const [a, b, c] = draw(parent, ['a', 'b', 'c']);
    expect(draw(parent, ['c', 'new', 'a'])).toEqual([c, expect.anything(), a]);
    expect(b.isConnected).toBe(false);
    expect(parent.textContent).toBe('cnewa');
  });

  it('does not touch what stays where it is', () => {
    const parent = document.createElement('div');
    draw(parent, ['a', 'b', 'c']);
    const insert = jest.spyOn(parent, 'insertBefore');
    draw(parent, ['a', 'b', 'c']);
    expect(insert).not.toHaveBeenCalled();
  });

  const five = ['a', 'b', 'c', 'd', 'e'];
  const changes = [
    ['e', 'd', 'c', 'b', 'a'],
    ['c', 'a', 'b', 'd', 'e'],
    ['a', 'b', 'd', 'e', 'c'],
    ['c'],
    ['new', 'e', 'c', 'newer'],
    ['b', 'c', 'd']
  ];
  it.each(changes.map(keys => [keys]))(
    'leaves the focus where it is, whatever comes, goes or moves: %j',
    keys => {
      const parent = document.createElement('div');
      document.body.append(parent);
      const c = draw(parent, five)[2];
      const inside = document.createElement('button');
      for (const focused of [c, inside]) {
        focused.tabIndex = 0;
        draw(parent, five);
        c.append(inside);
        focused.focus();
        const lost = jest.fn();
        focused.addEventListener('blur', lost);
        patch(
          parent,
          keys,
          String,
          () => document.createElement('p'),
          jest.fn()
        );
        expect(document.activeElement).toBe(focused);
        expect(lost).not.toHaveBeenCalled();
        const order = Array.from(parent.children) as HTMLElement[];
        expect(order.map(node => node.dataset.key)).toEqual(keys);
        expect(order).toContain(c);
      }
      parent.remove();
    }
  );
});
