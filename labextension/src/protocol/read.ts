/**
 * Foreign values as values of a type.
 *
 * Rules of this file
 * - No DOM. Nothing is believed: what is not of the type becomes the empty value of the type, lists and texts are cut.
 */

const MOST_CALLS = 2000;
const MOST_LOGS = 200;
const LONGEST_TEXT = 20000;

export type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

export function list(value: unknown, most = MOST_CALLS): unknown[] {
  return Array.isArray(value) ? value.slice(0, most) : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, LONGEST_TEXT) : '';
}

export function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function optional(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function readLogs(value: unknown): [string, string][] {
  return list(value, MOST_LOGS).map(each => {
    const [stream, printed] = list(each, 2);
    return [text(stream), text(printed)];
  });
}
