// The browser of the tests, and waiting for what happens in it.
import { kWebGpu, openBrowser as launch } from '../node/chromium.mjs';

/**
 * Workgroup memory is not zeroed, on which no kernel relies, as natively: SwiftShader unrolls that, and takes more than
 * twice as long to compile a model's kernels.
 */
const kUnzeroed = '--enable-dawn-features=disable_workgroup_init';

export const kUsual = [kWebGpu, kUnzeroed];

export const openBrowser = (flags = kUsual) => launch(flags);

/** Waits until `read` answers with something true, and answers with that. */
export async function until(what, read, timeoutMs = 120_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
