/**
 * Where a request ended that did not succeed.
 *
 * Rules of this file
 * - No DOM. As `view/state.py` of the kernel does it: both name the same call.
 */

import { IShownCall, ISnapshot } from '../protocol/protocol';

/** The last innermost call that ended as its request did; of a failure, with the error of the request. */
export function endedIn(snapshot: ISnapshot): IShownCall | null {
  const { status } = snapshot.request;
  const error = inWords(snapshot.request.error);
  const like = snapshot.calls.filter(
    call => call.depth > 0 && call.status === status
  );
  const callers = new Set(like.map(call => call.parent));
  const found = like.filter(
    call =>
      !callers.has(call.id) &&
      (status !== 'failed' || (error && inWords(call.error).includes(error)))
  );
  return found[found.length - 1] ?? null;
}

/** The error of a request is one line, that of a call may have several. */
function inWords(text: string): string {
  return text.split(/\s+/).join(' ').trim();
}
