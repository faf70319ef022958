/**
 * @jest-environment jsdom
 */
/** Where an export is put together: what goes in is seen before it is written. */

import { ExportForm, IExportWish } from '../src/view/export';
import { english } from './english';

const FOUND = {
  roots: [
    { name: 'research', description: 'Answers questions.', application: true },
    { name: 'batch', description: '', application: true },
    { name: 'ask', description: '', application: false }
  ],
  decisions: [
    { cell: 3, what: 'ask', kept: true, why: 'called by research' },
    { cell: 4, what: 'df.plot()', kept: false, why: 'no application needs it' }
  ],
  files: ['pyproject.toml', 'README.md'],
  folder: 'research-app',
  refusal: ''
};

const texts = (node: HTMLElement, selector: string) =>
  [...node.querySelectorAll(selector)].map(each => each.textContent);

const settled = async () => {
  for (let n = 0; n < 5; n += 1) {
    await Promise.resolve();
  }
};

describe('an export that is put together', () => {
  let asked: IExportWish[];
  let answer: () => Promise<unknown>;
  let ready: boolean[];

  async function opened(given: Partial<IExportWish> = {}) {
    asked = [];
    ready = [];
    const form = new ExportForm(
      { directory: 'research-app', ...given },
      wish => {
        asked.push(wish);
        return answer();
      },
      english
    );
    form.ready = possible => ready.push(possible);
    document.body.replaceChildren(form.node);
    await settled();
    return form;
  }

  beforeEach(() => {
    answer = () => Promise.resolve(FOUND);
  });

  it('lists the applications, all of them chosen, and what goes in', async () => {
    const { node } = await opened();
    expect(texts(node, '.jp-durable-export-name')).toEqual([
      'research',
      'batch'
    ]);
    expect(node.querySelectorAll('input:checked')).toHaveLength(2);
    expect(texts(node, '.jp-durable-export-sum')).toEqual([
      '1 go in · 1 stay out · 2 files'
    ]);
    expect(texts(node, 'tbody tr:last-child td')).toEqual([
      '4',
      'df.plot()',
      'no',
      'no application needs it'
    ]);
    expect(ready).toEqual([true]);
  });

  it('asks again for what is chosen, which is what is written', async () => {
    const form = await opened();
    form.node.querySelectorAll<HTMLInputElement>('input')[1].click();
    await settled();
    const target = form.node.querySelector('select')!;
    target.value = 'tensorlake';
    target.dispatchEvent(new Event('change'));
    await settled();
    expect(asked[1].apps).toEqual(['research']);
    expect(asked[2]).toEqual({
      apps: ['research'],
      target: 'tensorlake',
      directory: 'research-app',
      force: false
    });
    expect(form.wish).toEqual(asked[2]);
  });

  it('asks nothing while nothing is chosen', async () => {
    const { node } = await opened();
    node
      .querySelectorAll<HTMLInputElement>('.jp-durable-export-choice input')
      .forEach(box => box.click());
    await settled();
    expect(asked).toHaveLength(2);
    expect(texts(node, '.jp-durable-wrong')).toEqual([
      'Choose an application.'
    ]);
    expect(ready.pop()).toBe(false);
  });

  it('has a function that was named, which is no application', async () => {
    const { node } = await opened({ apps: ['ask'] });
    expect(texts(node, '.jp-durable-export-choice:has(:checked)')).toEqual([
      'ask'
    ]);
  });

  it('says why nothing can be exported, and cannot be pressed then', async () => {
    const refusal = 'cell 4: `model` is changed by model.fit(…)';
    answer = () => Promise.resolve({ ...FOUND, refusal });
    const { node } = await opened();
    expect(texts(node, '.jp-durable-wrong')).toEqual([refusal]);
    expect(texts(node, '.jp-durable-export-sum')).toEqual(['']);
    expect(ready).toEqual([false]);
  });

  it('does not show an answer that came too late', async () => {
    let late: (value: unknown) => void = () => undefined;
    answer = () => new Promise(resolve => (late = resolve));
    const form = await opened();
    answer = () => Promise.resolve(FOUND);
    void form.ask();
    await settled();
    late({ ...FOUND, refusal: 'late' });
    await settled();
    expect(texts(form.node, '.jp-durable-wrong')).toEqual(['']);
  });

  it('offers to write over what was edited when that was why it was not written', async () => {
    const form = await opened();
    const force = form.node.querySelector<HTMLElement>(
      '.jp-durable-export-force'
    )!;
    expect(force.hidden).toBe(true);
    form.failed('README.md was edited by hand');
    await form.ask();
    expect(texts(form.node, '.jp-durable-wrong')).toEqual([
      'README.md was edited by hand'
    ]);
    expect(force.hidden).toBe(false);
    force.querySelector('input')!.click();
    await settled();
    expect(form.wish.force).toBe(true);
    expect(texts(form.node, '.jp-durable-wrong')).toEqual(['']);
  });
});
