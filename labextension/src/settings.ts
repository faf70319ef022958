/**
 * What the user prefers.
 *
 * Rules of this file
 * - No DOM. Every preference has a default here, which holds where there is no settings registry.
 * - A value of the wrong type counts as not given. Changes are told at once, to whoever shows something by them.
 */

import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Token } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

/** The schema is `schema/plugin.json`. */
export const SETTINGS_ID = 'jupyter-durable:plugin';

/** How a view stands when it appears: `trouble` opens the tree of what did not succeed. */
export type Opens = 'line' | 'trouble' | 'tree';

export interface IPreferences {
  showMarks: boolean;
  notifications: boolean;
  /** Seconds a request lasted at least, for its end to be told. */
  notifyAfter: number;
  opens: Opens;
  timeline: boolean;
  /** Seconds between two looks at the list of requests while nothing runs. */
  polling: number;
}

export const DEFAULTS: Readonly<IPreferences> = {
  showMarks: true,
  notifications: true,
  notifyAfter: 30,
  opens: 'trouble',
  timeline: false,
  polling: 10
};

const OPENS: readonly string[] = ['line', 'trouble', 'tree'];

/** Preferences from what a settings file says. */
export function readPreferences(given: Record<string, unknown>): IPreferences {
  const flag = (value: unknown, otherwise: boolean) =>
    typeof value === 'boolean' ? value : otherwise;
  const seconds = (value: unknown, least: number, otherwise: number) =>
    typeof value === 'number' && value >= least ? value : otherwise;
  return {
    showMarks: flag(given.showMarks, DEFAULTS.showMarks),
    notifications: flag(given.notifications, DEFAULTS.notifications),
    notifyAfter: seconds(given.notifyAfter, 0, DEFAULTS.notifyAfter),
    opens: OPENS.includes(given.opens as string)
      ? (given.opens as Opens)
      : DEFAULTS.opens,
    timeline: flag(given.timeline, DEFAULTS.timeline),
    polling: seconds(given.polling, 2, DEFAULTS.polling)
  };
}

/** The preferences of now. */
export class Preferences {
  get now(): Readonly<IPreferences> {
    return this._now;
  }

  get changed(): ISignal<this, Readonly<IPreferences>> {
    return this._changed;
  }

  /** Follow a settings file. */
  follow(settings: ISettingRegistry.ISettings): void {
    const take = () => {
      this._now = readPreferences(settings.composite);
      this._changed.emit(this._now);
    };
    settings.changed.connect(take, this);
    take();
  }

  private _now: Readonly<IPreferences> = DEFAULTS;
  private _changed = new Signal<this, Readonly<IPreferences>>(this);
}

export const IDurablePreferences = new Token<Preferences>(
  'jupyter-durable:IDurablePreferences',
  'What the user prefers of the views, marks and notifications of durable requests.'
);
