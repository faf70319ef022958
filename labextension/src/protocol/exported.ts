/**
 * What the kernel answers when it is asked what an export would hold.
 *
 * Rules of this file
 * - No DOM. It tells of a foreign notebook: nothing is believed.
 */

import { fields, list, number, text } from './read';

const MOST_ROWS = 2000;

/** An application, or a durable function, that can be exported. */
export interface IRoot {
  name: string;
  description: string;
  application: boolean;
}

/** One line of the table of what goes in. */
export interface IDecision {
  cell: number;
  what: string;
  kept: boolean;
  why: string;
}

export interface IExported {
  roots: IRoot[];
  decisions: IDecision[];
  /** Paths below the folder. */
  files: string[];
  /** Where they are, or would be. */
  folder: string;
  /** Why nothing can be exported; empty when it can. */
  refusal: string;
}

export function readExported(value: unknown): IExported {
  const given = fields(value);
  return {
    roots: list(given.roots, MOST_ROWS).map(each => ({
      name: text(fields(each).name),
      description: text(fields(each).description),
      application: fields(each).application === true
    })),
    decisions: list(given.decisions, MOST_ROWS).map(each => ({
      cell: number(fields(each).cell),
      what: text(fields(each).what),
      kept: fields(each).kept === true,
      why: text(fields(each).why)
    })),
    files: list(given.files, MOST_ROWS).map(text),
    folder: text(given.folder),
    refusal: text(given.refusal)
  };
}
