// A module of src/ by itself, for tests of what the package does not export.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** `name`: "regex.ts" */
export async function importSource(name) {
  const entry = fileURLToPath(new URL(`../src/${name}`, import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    external: ['node:*'],
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
