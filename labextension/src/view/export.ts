/**
 * Where an export is put together: applications, target, folder, and what goes in, before anything is written.
 *
 * Rules of this file
 * - The kernel decides what goes in; here it is asked again whenever something else is chosen.
 * - An answer that is no longer asked for is not shown.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import {
  IDecision,
  IExported,
  IRoot,
  readExported
} from '../protocol/exported';
import { element, patch, setText, show, visible } from './dom';
import { thousands } from './words';

/** What is asked for. */
export interface IExportWish {
  apps: string[];
  target: string;
  directory: string;
  force: boolean;
}

/** Asks the kernel what an export would hold. */
export type Look = (wish: IExportWish) => Promise<unknown>;

const TYPING_MILLISECONDS = 300;

export class ExportForm {
  constructor(
    given: Partial<IExportWish>,
    look: Look,
    trans: TranslationBundle
  ) {
    this._look = look;
    this._trans = trans;
    this._chosen = given.apps?.length ? new Set(given.apps) : null;
    this._folder.value = given.directory ?? '';
    this._target.append(
      new Option(trans.__('A project with its own server'), 'server'),
      new Option(trans.__('Tensorlake'), 'tensorlake')
    );
    this._target.value = given.target ?? 'server';
    this._force.checked = given.force === true;
    this._prepare();
    this.node = element('div', 'export', [
      this._field(trans.__('Applications'), this._roots),
      this._field(trans.__('For'), this._target),
      this._field(trans.__('Folder'), this._folder),
      this._forced,
      element('div', 'export-found', [
        this._wrong,
        this._sum,
        element('div', 'export-scroll', [this._table])
      ])
    ]);
    void this.ask();
  }

  readonly node: HTMLElement;

  /** Called when it becomes possible to export, or impossible. */
  ready: (possible: boolean) => void = () => undefined;

  get wish(): IExportWish {
    return {
      apps: [...(this._chosen ?? [])],
      target: this._target.value,
      directory: this._folder.value.trim(),
      force: this._force.checked
    };
  }

  /** Say why it was not written; what was edited by hand may be written over. */
  failed(why: string): void {
    this._failure = why;
    this._say(why);
    show(this._forced, true);
  }

  /** Ask what goes in. */
  async ask(): Promise<void> {
    const asked = (this._asked += 1);
    if (this._chosen?.size === 0) {
      this._refuse(this._trans.__('Choose an application.'));
      return;
    }
    this.node.setAttribute('aria-busy', 'true');
    try {
      const found = readExported(await this._look(this.wish));
      if (asked === this._asked) {
        this._show(found);
      }
    } catch (error) {
      if (asked === this._asked) {
        this._refuse(error instanceof Error ? error.message : String(error));
      }
    } finally {
      if (asked === this._asked) {
        this.node.removeAttribute('aria-busy');
      }
    }
  }

  dispose(): void {
    this._asked += 1;
    window.clearTimeout(this._typing);
  }

  private _prepare(): void {
    const trans = this._trans;
    this._roots.setAttribute('role', 'group');
    this._roots.setAttribute('aria-label', trans.__('Applications'));
    this._roots.append(element('span', 'quiet', trans.__('Looking…')));
    this._wrong.setAttribute('role', 'alert');
    this._sum.setAttribute('role', 'status');
    this._folder.spellcheck = false;
    this._force.type = 'checkbox';
    this._forced = element('label', 'export-force', [
      this._force,
      trans.__('Write over what was edited by hand')
    ]);
    show(this._forced, this._force.checked);
    this._target.addEventListener('change', () => this._changed());
    this._force.addEventListener('change', () => this._changed());
    this._folder.addEventListener('input', () => {
      window.clearTimeout(this._typing);
      this._typing = window.setTimeout(
        () => this._changed(),
        TYPING_MILLISECONDS
      );
    });
  }

  private _field(label: string, node: HTMLElement): HTMLElement {
    const tag = node === this._roots ? 'div' : 'label';
    return element(tag, 'export-field', [
      element('span', 'export-label', label),
      node
    ]);
  }

  private _show(found: IExported): void {
    this._list(found.roots);
    this._say(found.refusal || this._failure);
    setText(this._sum, found.refusal ? '' : sumOf(found, this._trans));
    this._table.replaceChildren(...rowsOf(found.decisions, this._trans));
    this.ready(!found.refusal && this.wish.directory !== '');
  }

  /** What was wrong before may be so no more. */
  private _changed(): void {
    this._failure = '';
    void this.ask();
  }

  private _refuse(why: string): void {
    this._say(why);
    setText(this._sum, '');
    this._table.replaceChildren();
    this.ready(false);
  }

  private _say(why: string): void {
    setText(this._wrong, visible(why));
  }

  private _list(roots: IRoot[]): void {
    if (roots.length === 0) {
      this._roots.replaceChildren(
        element(
          'span',
          'quiet',
          this._trans.__('None: write @application() above a function.')
        )
      );
      return;
    }
    const listed = roots.filter(
      each => each.application || this._chosen?.has(each.name)
    );
    this._chosen ??= new Set(listed.map(each => each.name));
    this._roots.querySelector(':scope > span')?.remove();
    patch(
      this._roots,
      listed,
      root => root.name,
      root => this._choice(root),
      () => undefined
    );
  }

  private _choice(root: IRoot): HTMLElement {
    const box = element('input', '');
    box.type = 'checkbox';
    box.checked = this._chosen?.has(root.name) ?? true;
    box.addEventListener('change', () => {
      const chosen = (this._chosen ??= new Set());
      if (box.checked) {
        chosen.add(root.name);
      } else {
        chosen.delete(root.name);
      }
      this._changed();
    });
    return element('label', 'export-choice', [
      box,
      element('span', 'export-name', visible(root.name)),
      element('span', 'quiet', visible(root.description))
    ]);
  }

  private _look: Look;
  private _trans: TranslationBundle;
  private _chosen: Set<string> | null;
  private _roots = element('div', 'export-roots');
  private _target = element('select', 'export-input');
  private _folder = element('input', 'export-input');
  private _force = element('input', '');
  private _forced!: HTMLElement;
  private _wrong = element('div', 'wrong');
  private _sum = element('div', 'export-sum');
  private _table = element('table', 'table');
  private _failure = '';
  private _asked = 0;
  private _typing = 0;
}

/** `9 pieces go in, 4 stay out · 14 files in …`. */
export function sumOf(found: IExported, trans: TranslationBundle): string {
  const kept = found.decisions.filter(each => each.kept).length;
  const parts = [
    trans.__('%1 go in', thousands(kept)),
    trans.__('%1 stay out', thousands(found.decisions.length - kept))
  ];
  if (found.files.length > 0) {
    const count = found.files.length;
    parts.push(trans._n('%1 file', '%1 files', count, thousands(count)));
  }
  return parts.join(' · ');
}

function rowsOf(
  decisions: IDecision[],
  trans: TranslationBundle
): HTMLElement[] {
  if (decisions.length === 0) {
    return [];
  }
  const heads = [
    trans.__('Cell'),
    trans.__('What'),
    trans.__('Goes in'),
    trans.__('Why')
  ];
  const row = (each: IDecision) => {
    const made = element('tr', '', [
      element('td', '', String(each.cell)),
      element('td', 'export-what', visible(each.what)),
      element('td', '', each.kept ? trans.__('yes') : trans.__('no')),
      element('td', '', visible(each.why))
    ]);
    made.dataset.kept = String(each.kept);
    return made;
  };
  return [
    element('thead', '', [
      element(
        'tr',
        '',
        heads.map(head => element('th', '', head))
      )
    ]),
    element('tbody', '', decisions.map(row))
  ];
}
