/**
 * What a view asks of the world around it.
 *
 * Rules of this file
 * - No DOM and no Jupyter: a view works with any implementation, and without a kernel.
 */

import { Lives } from '../requests/live';
import { Turn } from '../requests/turn';
import { ISnapshot } from '../protocol/protocol';

/** What can be done with a request. */
export type Verb =
  | 'cancel'
  | 'replay'
  | 'preview'
  | 'fork'
  | 'debug'
  | 'resume'
  | 'place'
  | 'keep'
  | 'detail'
  | 'changes'
  | 'answer'
  | 'page'
  | 'snapshot';

/** How a request is to be replayed; the fields of `Wish` in the kernel. */
export interface IWish {
  strict?: boolean;
  latest?: boolean;
  /** Identity of the call from which on everything executes. */
  from_call?: number;
  /** `changed`, or the identity of the call that executes. */
  rerun?: 'changed' | number;
}

export interface IControls {
  /** Why `verb` cannot be done now, in a sentence; null when it can. */
  refusal(verb: Verb): string | null;

  /**
   * Whether `verb` is shown at all, or for `some` calls only; of what is not there nobody is told why. All is, where
   * this is left out.
   */
  offers?(verb: Verb, some: boolean): boolean;

  /** Ask the kernel, also while it is busy. Rejects with an `Error` whose message can be shown. */
  ask(verb: Verb, content: Record<string, unknown>): Promise<unknown>;

  /** Whether there is a cell whose execution resumes the request. */
  readonly hasCell: boolean;

  /** What is known of requests, shared with all that show them here. */
  readonly lives: Lives;

  /** Execute the cell so that it goes on with that request, and with no other. Rejects as `ask` does. */
  resume(request: string): Promise<void>;

  /** Execute the cell as if by hand, as soon as the kernel is free. */
  runCell(): void;

  /** What waits for the kernel. */
  readonly turn: Turn;

  /** Open a cell with `source` under this one, and execute it. */
  runBelow(source: string): void;

  /** Called when any answer above may have changed. */
  changed: () => void;

  /** Called when what the kernel knows may be different: code has run, or it is `another` kernel. */
  ran?: (another: boolean) => void;
}

/** Whether a control is shown: a replay of `some` calls only is another one than that of the whole request. */
export function offered(
  controls: IControls,
  verb: Verb | null,
  some = false
): boolean {
  return verb === null || (controls.offers?.(verb, some) ?? true);
}

/** Whether there is a cell whose execution goes on with that request; a fork is shown in a cell, and is none of its own. */
export function ownCell(controls: IControls, snapshot: ISnapshot): boolean {
  return controls.hasCell && !snapshot.request.forked_from;
}
