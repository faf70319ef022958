/**
 * Controls, with what a view has learnt of its request.
 *
 * Rules of this file
 * - A request that is not known where controls would act cannot be acted on: they say so before they are pressed.
 */

import { Lives } from '../requests/live';
import { Turn } from '../requests/turn';
import { IControls, Verb } from './controls';

export class Gate implements IControls {
  constructor(controls: IControls) {
    this._controls = controls;
    controls.changed = () => this.changed();
    controls.ran = another => this.ran(another);
  }

  /** Why nothing can be done with the request, in a sentence; null while nothing speaks against it. */
  unknown: string | null = null;

  changed: () => void = () => undefined;

  ran: (another: boolean) => void = () => undefined;

  refusal(verb: Verb): string | null {
    const refusal = this._controls.refusal(verb);
    return verb === 'snapshot' ? refusal : (this.unknown ?? refusal);
  }

  offers(verb: Verb, some: boolean): boolean {
    return this._controls.offers?.(verb, some) ?? true;
  }

  ask(verb: Verb, content: Record<string, unknown>): Promise<unknown> {
    return this._controls.ask(verb, content);
  }

  get hasCell(): boolean {
    return this._controls.hasCell;
  }

  get lives(): Lives {
    return this._controls.lives;
  }

  resume(request: string): Promise<void> {
    return this._controls.resume(request);
  }

  runCell(): void {
    this._controls.runCell();
  }

  get turn(): Turn {
    return this._controls.turn;
  }

  runBelow(source: string): void {
    this._controls.runBelow(source);
  }

  private _controls: IControls;
}
