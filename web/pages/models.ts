// Which models are kept in the browser's storage, how large they are, and deleting them.
import type { CachedModel } from '../src/index.js';
import { byId, make, row, table } from './lib/dom.js';
import { bytesText } from './lib/format.js';
import { handloom } from './lib/package.js';
import { labelOf } from './lib/models.js';
import { openPage } from './lib/page.js';
import { attempt, say } from './lib/status.js';

const deleteAll = byId('delete-all');

async function remove(model?: string): Promise<void> {
  await attempt(async () => {
    const { deleteCached } = await handloom();
    await deleteCached(model);
  });
  await show();
}

function rowOf(kept: CachedModel): HTMLTableRowElement {
  const name = labelOf(kept.model);
  const button = make('button', { type: 'button', onclick: () => void remove(kept.model) }, 'Delete');
  button.setAttribute('aria-label', `Delete ${name}`);
  return row(name, bytesText(kept.bytes), kept.complete ? 'whole' : 'in part: loading it goes on', button);
}

async function showRoom(): Promise<void> {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  byId('room').textContent = `This site uses ${bytesText(usage)}; the browser says it would give it ${bytesText(quota)}.`;
}

async function show(): Promise<void> {
  await attempt(async () => {
    const { listCached } = await handloom();
    const models = await listCached();
    models.sort((a, b) => b.bytes - a.bytes);
    byId('kept').replaceChildren(
      models.length > 0 ? table(['Model', 'Size', 'State', ''], models.map(rowOf)) : make('p', {}, 'None.'),
    );
    deleteAll.hidden = models.length < 2;
    await showRoom();
  });
}

deleteAll.addEventListener('click', () => void remove());
if (openPage()) {
  if ('storage' in navigator && 'getDirectory' in navigator.storage) void show();
  else say('This browser keeps no models: it has no private file system, or the page is not served over https.', true);
}
