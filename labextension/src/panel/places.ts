/**
 * What the application has of what the panel and the tabs stand on.
 *
 * Rules of this file
 * - Every part is optional; what is not there is left out.
 */

import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';

export interface IPlaces {
  documents: IDocumentManager | null;
  notebooks: INotebookTracker | null;
  /** JupyterLab's; Notebook 7 has another, in which nothing but its one notebook opens. */
  lab: ILabShell | null;
  restorer: ILayoutRestorer | null;
  palette: ICommandPalette | null;
}
