// The pages: each an .html with what lies between header and script, in the frame of layout.html, and
// a .ts; and the kernels' files, which a page shows.
import { copyFileSync, cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const kernels = fileURLToPath(new URL('../../src/kernels/', import.meta.url));

/** In the order of the navigation; the first one is the server's index. */
const kPages = [
  { page: 'chat', title: 'Chat' },
  { page: 'models', title: 'Models' },
  { page: 'validate', title: 'Validate' },
  { page: 'kernels', title: 'Kernels' },
  { page: 'timeline', title: 'Timeline' },
  { page: 'bench', title: 'Bench' },
  { page: 'device', title: 'Device' },
];
// What the first page will ask for.
const kPreload = `    <link rel="modulepreload" href="handloom.js" />
    <link rel="preload" href="handloom.wasm" as="fetch" crossorigin />
`;
const fileOf = (page) => (page === kPages[0].page ? 'index.html' : `${page}.html`);

function navigation(current) {
  return kPages
    .map(({ page, title }) => {
      const href = fileOf(page) === 'index.html' ? './' : fileOf(page);
      return `<a href="${href}"${page === current ? ' aria-current="page"' : ''}>${title}</a>`;
    })
    .join('');
}

/** `common`: esbuild's options. Writes to its outdir. */
export async function buildPages(common) {
  const out = common.outdir;
  await build({
    ...common,
    entryPoints: Object.fromEntries(kPages.map(({ page }) => [page, `pages/${page}.ts`])),
    external: [...common.external, './handloom.js'],
  });
  const layout = readFileSync(`${here}layout.html`, 'utf8');
  for (const { page, title } of kPages) {
    const content = readFileSync(`${here}${page}.html`, 'utf8').trimEnd();
    const preload = page === kPages[0].page ? kPreload : '';
    const values = { title, page, content, preload, nav: navigation(page) };
    writeFileSync(out + fileOf(page), layout.replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]));
  }
  copyFileSync(`${here}style.css`, `${out}style.css`);
  rmSync(`${out}kernels`, { recursive: true, force: true });
  cpSync(kernels, `${out}kernels`, { recursive: true });
  const names = readdirSync(kernels).filter((name) => name.endsWith('.wgsl')).map((name) => name.slice(0, -5));
  writeFileSync(`${out}kernels/index.json`, JSON.stringify(names.sort()));
}
