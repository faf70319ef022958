/**
 * The entry of the server's own page. It is bundled alone, with nothing of JupyterLab in it.
 */

import { untranslated } from '../widget/untranslated';
import { Site } from './site';

const site = new Site(untranslated);
document.body.append(site.node);
site.begin();
