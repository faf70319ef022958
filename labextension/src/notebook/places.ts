/**
 * Requests in outputs that were put out empty, to take the place of a view, and that nobody fills.
 *
 * Rules of this file
 * - The kernel that took the place knows what is shown there, or that nothing is. Of a place of another kernel the store
 *   tells the newest request of the cell.
 * - Most places are filled at once: there is no hurry, and ever less.
 * - What is shown at such a place is written into the notebook once its request has ended, by one page: the kernel says
 *   by which. Else it would be saved empty.
 */

import { CodeCell } from '@jupyterlab/cells';
import { readAtPlace, readKept } from '../protocol/answers';
import { MIME_TYPE, readPlace } from '../protocol/protocol';
import { Live, underway } from '../requests/live';
import { Asking } from './asking';

const FIRST_MILLISECONDS = 2500;
const LONGEST_MILLISECONDS = 30000;
const SILENT_SECONDS = 1;

/** Looks for the request of one place until it is found. */
export class Seeker {
  constructor(
    asking: Asking,
    place: string,
    cell: () => CodeCell | null,
    found: (request: string) => void
  ) {
    this._asking = asking;
    this._place = place;
    this._cell = cell;
    this._found = found;
    const known = asking.placed.get(place);
    if (known === undefined) {
      this._later();
    } else {
      found(known);
    }
  }

  dispose(): void {
    window.clearTimeout(this._timer);
    this._disposed = true;
  }

  private _later(): void {
    this._timer = window.setTimeout(() => void this._look(), this._pause);
    this._pause = Math.min(2 * this._pause, LONGEST_MILLISECONDS);
  }

  private async _look(): Promise<void> {
    const cell = this._cell();
    if (cell === null || !cell.node.isConnected) {
      this._later();
      return;
    }
    const running = cell.model.executionState === 'running';
    const request = await this._asked(cell).catch(() => null);
    if (this._disposed) {
      return;
    }
    if (request !== null) {
      this._asking.fill(this._place, request);
      this._found(request);
    } else if (running) {
      this._later();
    }
  }

  private async _asked(cell: CodeCell): Promise<string | null> {
    if (this._asking.alive) {
      const content = { place: this._place };
      const told = readAtPlace(await this._asking.about('place', content));
      if (told.known) {
        return told.request || null;
      }
    }
    const listed = await this._asking.requestsOf(keyOf(cell));
    const one = listed[0];
    if (one === undefined) {
      return null;
    }
    const lasted = (one.finished_at ?? Infinity) - (one.started_at ?? 0);
    const silent =
      one.kind === 'cell' &&
      one.status === 'succeeded' &&
      one.reused === 0 &&
      lasted < SILENT_SECONDS &&
      !isDurable(cell);
    return silent ? null : one.id;
  }

  private _asking: Asking;
  private _place: string;
  private _cell: () => CodeCell | null;
  private _found: (request: string) => void;
  private _pause = FIRST_MILLISECONDS;
  private _timer = 0;
  private _disposed = false;
}

/** Writes the last state of a request into its place. */
export class Keeper {
  constructor(
    asking: Asking,
    place: string,
    cell: () => CodeCell | null,
    request: string
  ) {
    this._asking = asking;
    this._place = place;
    this._cell = cell;
    const live = asking.lives.of(request);
    this._unfollow = live.follow({
      changed: () => this._look(live),
      inSight: () => false,
      whole: false
    });
    this._look(live);
  }

  dispose(): void {
    this._unfollow();
    this._done = true;
  }

  private _look({ certain, snapshot }: Live): void {
    const ended = snapshot !== null && !underway(snapshot.request.status);
    if (certain && ended && this._asking.alive && !this._done) {
      this._done = true;
      // A kernel that cannot say leaves the place empty: what is shown there is asked for whenever it is opened.
      this._write().catch(() => undefined);
    }
  }

  private async _write(): Promise<void> {
    const content = { place: this._place };
    const data = readKept(await this._asking.about('keep', content));
    const outputs = this._cell()?.model.outputs;
    for (
      let index = 0;
      data !== null && index < (outputs?.length ?? 0);
      index++
    ) {
      const output = outputs!.get(index);
      if (readPlace(output.data[MIME_TYPE]) === this._place) {
        outputs!.set(index, { ...output.toJSON(), data });
      }
    }
  }

  private _asking: Asking;
  private _place: string;
  private _cell: () => CodeCell | null;
  private _unfollow: () => void;
  private _done = false;
}

/** What the store finds the requests of a cell by: its NAME, else its id. */
function keyOf(cell: CodeCell): string {
  const [, name] = isDurable(cell)
    ? cell.model.sharedModel.getSource().trimStart().split(/\s+/)
    : [];
  return name && /^\w[\w.-]*$/.test(name)
    ? `name:${name}`
    : `cell:${cell.model.id}`;
}

function isDurable(cell: CodeCell): boolean {
  return /^%%durable\b/.test(cell.model.sharedModel.getSource().trimStart());
}
