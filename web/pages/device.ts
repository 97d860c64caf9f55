// What this browser offers, and what follows from it.
import type { AdapterDescription } from '../src/index.js';
import { byId, row, table, verdict } from './lib/dom.js';
import { kFamilies, outlookOf } from './lib/families.js';
import { binaryText } from './lib/format.js';
import { handloom } from './lib/package.js';
import { openPage } from './lib/page.js';
import { attempt, say } from './lib/status.js';

function showAdapter({ name, vendor, architecture, features }: AdapterDescription): void {
  byId('adapter').replaceChildren(
    row('Name', name),
    row('Vendor and architecture', `${vendor} ${architecture}`.trim() || 'not told'),
    row('Arithmetic in f16', features.f16 ? 'yes' : 'no: weights and sums in f32, as in the file'),
    row(
      'Subgroups',
      features.subgroups
        ? `of ${[...new Set([features.min_subgroup_size, features.max_subgroup_size])].join(' to ')} lanes`
        : 'no: sums go through workgroup memory',
    ),
    row('GPU time of each dispatch', features.timestamps ? 'can be measured' : 'cannot be measured'),
  );
}

function showLimits({ limits }: AdapterDescription): void {
  byId('limits').replaceChildren(
    row('Largest buffer', binaryText(limits.max_buffer_bytes)),
    row('Largest binding; larger matrices are split', binaryText(limits.max_binding_bytes)),
    row('Storage buffers a kernel', String(limits.max_bindings)),
    row('Lanes of a workgroup', String(limits.max_invocations)),
    row('Memory of a workgroup', binaryText(limits.max_workgroup_bytes)),
    row('Workgroups a dimension of the grid', limits.max_workgroups.toLocaleString('en')),
  );
}

function showModels(adapter: AdapterDescription): void {
  const rows = kFamilies.map((family) => {
    const { weights, cache, refusal, note } = outlookOf(family, adapter);
    const state = refusal ? verdict('fail', 'refused') : verdict('pass', 'within limits');
    return row(family.name, weights, cache, state, refusal || note);
  });
  byId('models').replaceChildren(table(['Model', 'Weights', 'Cache', '', 'Because'], rows));
}

async function show(): Promise<void> {
  const { checkCapabilities } = await handloom();
  const { supported, reason, adapter } = await checkCapabilities();
  if (!supported) throw new Error(reason);
  const { software } = adapter!;
  say(software ? 'Models run here, but slowly: the adapter is a software one.' : 'Models run here.');
  showAdapter(adapter!);
  showLimits(adapter!);
  showModels(adapter!);
  byId('found').hidden = false;
}

if (openPage()) void attempt(show);
