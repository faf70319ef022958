/**
 * Tells the end of a long request that nobody watches.
 *
 * Rules of this file
 * - One notification an end, whoever saw it first: a cell or the server.
 * - Nothing is told of what is in sight, and of what the user cancelled.
 */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { spoken } from '../model/calltree';
import { targetOf } from '../commands/target';
import { visible } from '../view/dom';
import { Ends, IEnd } from './ends';
import { ISnapshot } from '../protocol/protocol';
import { IListed, IRequests } from '../requests/requests';
import { Preferences } from '../settings';
import { Sightings } from '../requests/sightings';

const SUCCESS_MILLISECONDS = 15000;
const LONGEST_ERROR = 200;
const OPEN_REQUEST = 'durable:open-request';

/** What notifications need of the page. */
export interface INotified {
  app: JupyterFrontEnd;
  tracker: INotebookTracker | null;
  translator: ITranslator;
  preferences: Preferences;
}

export class Notifications {
  constructor(page: INotified) {
    this._page = page;
    this._trans = page.translator.load('jupyter_durable');
  }

  /** Hear what cells show, and what the server lists. */
  follow(sightings: Sightings, requests: IRequests): void {
    sightings.seen.connect((_, snapshot) => this._seen(snapshot), this);
    requests.changed.connect(() => requests.list.forEach(this._listed, this));
    this._store = id => requests.list.find(one => one.id === id)?.store ?? '';
    requests.start();
  }

  private _seen({ request }: ISnapshot): void {
    this._see({
      ...request,
      started: request.started_at,
      finished: request.finished_at
    });
  }

  private _listed(listed: IListed): void {
    const { id, runs, application, status, error } = listed;
    this._see({
      id,
      run: Math.max(runs, 1),
      application,
      status,
      error: error ?? '',
      started: runs > 1 ? null : listed.started_at,
      finished: listed.finished_at
    });
  }

  private _see(sighting: Parameters<Ends['see']>[0]): void {
    const end = this._ends.see(sighting, Date.now() / 1000);
    const { notifications, notifyAfter } = this._page.preferences.now;
    if (
      end !== null &&
      end.status !== 'cancelled' &&
      notifications &&
      end.lasted >= notifyAfter
    ) {
      void inSight(end.id).then(seen => seen || this._tell(end));
    }
  }

  private _tell(end: IEnd): void {
    const trans = this._trans;
    const name = visible(end.application || end.id);
    const actions = this._canShow(end.id)
      ? [{ label: trans.__('Show'), callback: () => this._show(end.id) }]
      : [];
    const lasted = spoken(end.lasted);
    if (end.status === 'succeeded') {
      Notification.success(trans.__('%1 succeeded after %2', name, lasted), {
        autoClose: SUCCESS_MILLISECONDS,
        actions
      });
      return;
    }
    const first = end.error.trim().split('\n')[0].slice(0, LONGEST_ERROR);
    const said =
      end.status === 'failed'
        ? trans.__('%1 failed after %2', name, lasted)
        : trans.__('%1 was interrupted after %2', name, lasted);
    const message = first ? `${said}: ${visible(first)}` : said;
    Notification.error(message, { autoClose: false, actions });
  }

  private _canShow(id: string): boolean {
    const target = this._target(id);
    target?.release();
    return target !== null || this._page.app.commands.hasCommand(OPEN_REQUEST);
  }

  /** Its cell where a notebook with it is open, else its tab. */
  private _show(id: string): void {
    const { app } = this._page;
    const target = this._target(id);
    if (target === null) {
      const store = this._store(id);
      void app.commands.execute(OPEN_REQUEST, { request: id, store });
      return;
    }
    const notebook = target.panel.content;
    target.release();
    app.shell.activateById(target.panel.id);
    notebook.activeCellIndex = notebook.widgets.indexOf(target.cell);
    void notebook.scrollToItem(notebook.activeCellIndex, 'center');
  }

  private _target(id: string) {
    const { tracker, translator } = this._page;
    return tracker === null ? null : targetOf(tracker, translator, id);
  }

  private _page: INotified;
  private _trans: TranslationBundle;
  private _store: (id: string) => string = () => '';
  private _ends = new Ends();
}

/** Whether a view of the request can be seen on the page now. */
async function inSight(id: string): Promise<boolean> {
  const views = Array.from(
    document.querySelectorAll<HTMLElement>('.jp-durable-view')
  ).filter(view => view.dataset.request === id);
  if (document.hidden || views.length === 0) {
    return false;
  }
  return new Promise(resolve => {
    const observer = new IntersectionObserver(entries => {
      observer.disconnect();
      resolve(entries.some(entry => entry.isIntersecting));
    });
    views.forEach(view => observer.observe(view));
  });
}
