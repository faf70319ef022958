/** Texts as they are written, for tests: JupyterLab's own bundles are modules that jest does not read. */

import { TranslationBundle } from '@jupyterlab/translation';

function filled(text: string, values: unknown[]): string {
  return text.replace(/%(\d+)/g, (_, n) => String(values[Number(n) - 1]));
}

export const english = {
  __: (text: string, ...values: unknown[]) => filled(text, values),
  _n: (one: string, many: string, n: number, ...values: unknown[]) =>
    filled(n === 1 ? one : many, values)
} as unknown as TranslationBundle;
