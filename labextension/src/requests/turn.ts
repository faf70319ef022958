/**
 * What waits until the kernel is free.
 *
 * Rules of this file
 * - No DOM and no Jupyter. One thing at a time: what comes later takes the place of what waits.
 * - The end of a cell is not always the end of the kernel's work, nor told as such: while something waits, look.
 */

const LOOK_MILLISECONDS = 200;

export class Turn {
  /** `busy`: whether the kernel is at work now. */
  constructor(busy: () => boolean) {
    this._busy = busy;
  }

  /** Whether something waits. */
  get queued(): boolean {
    return this._waiting !== null;
  }

  /** Do `act` as soon as the kernel is free; at once when it is. */
  whenFree(act: () => void): void {
    if (!this._busy()) {
      act();
      return;
    }
    this._waiting = act;
    this._timer ??= setInterval(() => this.look(), LOOK_MILLISECONDS);
    this._tell();
  }

  /** Let go what waits. */
  withdraw(): void {
    if (this._waiting !== null) {
      this._rest();
      this._tell();
    }
  }

  /** The kernel may be free now: begin with what waits if it is. */
  look(): void {
    const act = this._waiting;
    if (act !== null && !this._busy()) {
      this._rest();
      this._tell();
      act();
    }
  }

  /** Call `listener` when something begins to wait, and when it does no longer; until the answer is called. */
  onChange(listener: () => void): () => void {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  private _rest(): void {
    this._waiting = null;
    clearInterval(this._timer);
    this._timer = undefined;
  }

  private _tell(): void {
    this._listeners.forEach(listener => listener());
  }

  private _busy: () => boolean;
  private _waiting: (() => void) | null = null;
  private _timer: ReturnType<typeof setInterval> | undefined;
  private _listeners = new Set<() => void>();
}
