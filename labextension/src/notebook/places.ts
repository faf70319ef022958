/**
 * Requests in outputs that were put out empty, to take the place of a view, and that nobody fills.
 *
 * Rules of this file
 * - The kernel that took the place knows what is shown there, or that nothing is. Of a place of another kernel the store
 *   tells the newest request of the cell.
 * - Most places are filled at once: there is no hurry, and ever less.
 */

import { CodeCell } from '@jupyterlab/cells';
import { readAtPlace } from '../protocol/answers';
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
