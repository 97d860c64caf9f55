// What this browser offers, what follows from it, and which models it keeps.
import type { AdapterDescription } from '../src/index.js';

const handloom = () => import('./handloom.js' as string) as Promise<typeof import('../src/index.js')>;

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const verdict = element('verdict');
const deleteAll = element<HTMLButtonElement>('delete-all');

function row(table: string, name: string, ...cells: (string | HTMLElement)[]): void {
  const tr = document.createElement('tr');
  const th = document.createElement('th');
  th.textContent = name;
  tr.append(th);
  for (const cell of cells) {
    const td = document.createElement('td');
    td.append(cell);
    tr.append(td);
  }
  element(table).append(tr);
}

function bytes(n: number): string {
  if (n < 1 << 20) return `${Math.round(n / 1024)} KiB`;
  return n < 2 ** 30 ? `${(n / 2 ** 20).toFixed(0)} MiB` : `${(n / 2 ** 30).toFixed(1)} GiB`;
}

function showAdapter({ name, vendor, architecture, software, features, limits }: AdapterDescription): void {
  verdict.textContent = software
    ? 'Models run here, but slowly: the adapter is a software one.'
    : 'Models run here.';
  row('adapter', 'Name', name);
  row('adapter', 'Vendor and architecture', `${vendor} ${architecture}`.trim() || 'not told');
  row('adapter', 'Arithmetic in f16', features.f16 ? 'yes' : 'no: weights and sums in f32, as in the file');
  row(
    'adapter',
    'Subgroups',
    features.subgroups
      ? `of ${features.min_subgroup_size} to ${features.max_subgroup_size} lanes`
      : 'no: sums go through workgroup memory',
  );
  row('adapter', 'GPU time of each dispatch', features.timestamps ? 'can be measured' : 'cannot be measured');
  row('limits', 'Largest buffer', bytes(limits.max_buffer_bytes));
  row(
    'limits',
    'Largest binding; larger matrices are split',
    bytes(Math.min(limits.max_binding_bytes, limits.max_buffer_bytes)),
  );
  row('limits', 'Storage buffers a kernel', String(limits.max_bindings));
  row('limits', 'Workgroup: lanes, memory', `${limits.max_invocations}, ${bytes(limits.max_workgroup_bytes)}`);
}

async function showKept(): Promise<void> {
  const { deleteCached, listCached } = await handloom();
  const models = await listCached();
  element('kept').replaceChildren();
  for (const { model, bytes: kept, complete } of models) {
    const remove = document.createElement('button');
    remove.textContent = 'Delete';
    remove.setAttribute('aria-label', `Delete ${model}`);
    remove.addEventListener('click', () => void deleteCached(model).then(showKept));
    row('kept', model, `${bytes(kept)}${complete ? '' : ', unfinished'}`, remove);
  }
  if (models.length === 0) row('kept', 'None');
  deleteAll.hidden = models.length < 2;
  deleteAll.onclick = () => void deleteCached().then(showKept);
}

const { supported, reason, adapter } = await (await handloom()).checkCapabilities();
if (supported) {
  showAdapter(adapter!);
} else {
  verdict.textContent = reason!;
  verdict.className = 'wrong';
}
await showKept();
