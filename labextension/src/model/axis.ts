/**
 * The common time axis of a request.
 *
 * Rules of this file
 * - No DOM. Times are Unix seconds; places on the axis are fractions from 0 to 1.
 * - Idle time is shortened: calls served from the checkpoint of yesterday stand beside those of now.
 */

/** What happened from `start` to `end`. */
export interface ISpan {
  start: number;
  end: number;
}

const IDLE_SHARE = 0.06;

export class Axis {
  constructor(spans: ISpan[]) {
    const busy = united(spans);
    const total = busy.reduce((sum, span) => sum + span.end - span.start, 0);
    const most = Math.max(total * IDLE_SHARE, 1e-3);
    let at = 0;
    let before: ISpan | null = null;
    for (const span of busy) {
      at += before === null ? 0 : Math.min(span.start - before.end, most);
      const end = at + span.end - span.start;
      this._pieces.push({ ...span, from: at, to: end });
      at = end;
      before = span;
    }
    this.seconds = at;
  }

  /** Shown seconds from one end to the other. */
  readonly seconds: number;

  /** Where `time` stands. */
  at(time: number): number {
    let place = 0;
    for (const piece of this._pieces) {
      if (time < piece.start) {
        break;
      }
      place = piece.from + Math.min(time, piece.end) - piece.start;
    }
    return this.seconds > 0 ? place / this.seconds : 0;
  }

  private _pieces: (ISpan & { from: number; to: number })[] = [];
}

/** The spans without their overlaps, in order of time. */
function united(spans: ISpan[]): ISpan[] {
  const found: ISpan[] = [];
  for (const span of [...spans].sort((one, two) => one.start - two.start)) {
    const last = found[found.length - 1];
    if (last !== undefined && span.start <= last.end) {
      last.end = Math.max(last.end, span.end);
    } else {
      found.push({ ...span });
    }
  }
  return found;
}
