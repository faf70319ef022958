/**
 * @jest-environment jsdom
 */
/** The list of the panel, used from the keyboard while what it lists changes. */

import { ListView } from '../src/panel/list';
import { Requests } from '../src/requests/requests';
import { IServer } from '../src/requests/server';
import { english } from './english';

class Store implements IServer {
  ids: string[] = [];

  async get(): Promise<unknown> {
    const requests = this.ids.map(id => ({ store: 's', id, application: id }));
    return { requests, running: 0 };
  }

  async post(): Promise<unknown> {
    return null;
  }
}

describe('who uses the list from the keyboard', () => {
  const opened = jest.fn();
  const exported = jest.fn();
  let store: Store;
  let requests: Requests;
  let list: ListView;

  beforeEach(async () => {
    store = new Store();
    requests = new Requests(store);
    const acts = {
      open: opened,
      menu: jest.fn(),
      first: () => null,
      export: exported
    };
    list = new ListView(requests, acts, english);
    document.body.append(list.node);
    await listed('a', 'b', 'c');
    opened.mockClear();
  });

  afterEach(() => {
    list.node.remove();
    list.dispose();
    requests.dispose();
  });

  async function listed(...ids: string[]): Promise<void> {
    store.ids = ids;
    await requests.refresh();
  }

  function row(id: string): HTMLElement {
    const found = list.node.querySelector(`[data-request="${id}"]`);
    return found as HTMLElement;
  }

  function press(key: string): void {
    const event = new KeyboardEvent('keydown', { key, bubbles: true });
    document.activeElement?.dispatchEvent(event);
  }

  function tabStops(): (string | undefined)[] {
    const rows = list.node.querySelectorAll<HTMLElement>('.jp-durable-listed');
    const stops = Array.from(rows).filter(each => each.tabIndex === 0);
    return stops.map(each => each.dataset.request);
  }

  it('has the row still when a refresh comes before Enter, fifty times', async () => {
    row('a').focus();
    for (let times = 0; times < 50; times++) {
      await listed('c', `new ${times}`, 'b', 'a');
      press('ArrowUp');
      expect(document.activeElement).toBe(row('b'));
      await listed('b', 'a', 'c');
      press('Enter');
      expect(opened.mock.lastCall[0].id).toBe('b');
      press('ArrowDown');
      expect(document.activeElement).toBe(row('a'));
    }
    expect(opened).toHaveBeenCalledTimes(50);
  });

  it('stands on the row that takes the place of one that goes', async () => {
    row('b').focus();
    await listed('a', 'c');
    expect(document.activeElement).toBe(row('c'));
    expect(tabStops()).toEqual(['c']);
    await listed('a');
    expect(document.activeElement).toBe(row('a'));
    expect(tabStops()).toEqual(['a']);
    press('Enter');
    expect(opened.mock.lastCall[0].id).toBe('a');
  });

  it('stands in the search when the last row goes', async () => {
    row('b').focus();
    await listed();
    expect(document.activeElement?.getAttribute('type')).toBe('search');
  });

  it('is not called to the list from elsewhere', async () => {
    row('b').focus();
    (document.activeElement as HTMLElement).blur();
    await listed('a', 'c');
    expect(document.activeElement).toBe(document.body);
    expect(tabStops()).toEqual(['c']);
  });
});
