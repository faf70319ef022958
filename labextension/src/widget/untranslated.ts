/**
 * Texts as they are written, where there is no translator: a widget may stand outside of JupyterLab.
 *
 * Rules of this file
 * - Arguments are put in as JupyterLab's translator does it: `%1` is the first; of a counted text it is the count.
 */

import { TranslationBundle } from '@jupyterlab/translation';

/** `text` with its arguments. */
export function filled(text: string, values: unknown[]): string {
  return text.replace(/%(\d+)/g, (all, n) =>
    Number(n) <= values.length ? String(values[Number(n) - 1]) : all
  );
}

const plain = (text: string, ...values: unknown[]) => filled(text, values);

const counted = (
  one: string,
  many: string,
  count: number,
  ...values: unknown[]
) => filled(count === 1 ? one : many, [count, ...values]);

const plainIn = (_: string, text: string, ...values: unknown[]) =>
  filled(text, values);

const countedIn = (
  _: string,
  one: string,
  many: string,
  count: number,
  ...values: unknown[]
) => counted(one, many, count, ...values);

export const untranslated: TranslationBundle = {
  __: plain,
  _n: counted,
  _p: plainIn,
  _np: countedIn,
  gettext: plain,
  ngettext: counted,
  pgettext: plainIn,
  npgettext: countedIn,
  dcnpgettext: (
    _: string,
    context: string,
    one: string,
    many: string,
    count: number,
    ...values: unknown[]
  ) => countedIn(context, one, many, count, ...values)
};
