/**
 * How many requests run, in the status bar.
 *
 * Rules of this file
 * - Shown only while something runs. It counts all stores of the server, not this page's notebooks alone.
 */

import { JupyterFrontEnd } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { button, element, setAttribute, setText, visible } from './view/dom';
import { IRequests } from './requests/requests';
import { Sightings } from './requests/sightings';
import { mark, thousands } from './view/words';

const SHOW_PANEL = 'durable:show-panel';
const NAMED = 8;

/** Add the item. */
export function addStatus(
  app: JupyterFrontEnd,
  bar: IStatusBar,
  requests: IRequests,
  trans: TranslationBundle
): void {
  const item = new StatusItem(requests, trans, () => {
    if (app.commands.hasCommand(SHOW_PANEL)) {
      void app.commands.execute(SHOW_PANEL);
    }
  });
  bar.registerStatusItem('jupyter-durable:status', {
    item,
    align: 'left',
    rank: 20,
    isActive: () => requests.running > 0,
    activeStateChanged: requests.changed
  });
  requests.start();
}

/** A request that begins in a cell is counted at once, not with the next look at the server. */
export function askWhenSeen(sightings: Sightings, requests: IRequests): void {
  const counted = new Map<string, string>();
  sightings.seen.connect((_, { request }) => {
    const known = counted.get(request.id);
    const runs = request.status === 'running';
    if (known !== request.status && (runs || known === 'running')) {
      void requests.refresh();
    }
    counted.set(request.id, request.status);
  });
}

class StatusItem extends Widget {
  constructor(
    requests: IRequests,
    trans: TranslationBundle,
    pressed: () => void
  ) {
    super();
    this.addClass('jp-durable-status');
    this._requests = requests;
    this._trans = trans;
    this._button = button('', 'count-button', pressed);
    this._button.append(this._sign, this._text);
    this._sign.setAttribute('aria-hidden', 'true');
    this.node.append(this._button);
    requests.changed.connect(this._draw, this);
    this._draw();
  }

  private _draw(): void {
    const { running, list } = this._requests;
    const names = list
      .filter(each => each.status === 'running')
      .slice(0, NAMED)
      .map(each =>
        [each.application, each.path ?? each.notebook]
          .filter(Boolean)
          .join(' · ')
      );
    setText(this._text, this._trans.__('%1 running', thousands(running)));
    setAttribute(
      this._button,
      'title',
      visible([this._trans.__('Durable requests:'), ...names].join('\n'))
    );
  }

  private _requests: IRequests;
  private _trans: TranslationBundle;
  private _button: HTMLButtonElement;
  private _sign = element('span', 'sign', mark('running'));
  private _text = element('span', '');
}
