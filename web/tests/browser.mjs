// Debian's Chromium with a fresh profile. Its WebGPU runs on SwiftShader: no f16, small limits, slow.
import { chromium } from 'playwright-core';

/** Alone it gives WebGPU here, where there is no GPU. */
export const kWebGpu = '--enable-unsafe-webgpu';
/**
 * Workgroup memory is not zeroed, on which no kernel relies, as natively: SwiftShader unrolls that, and takes more than
 * twice as long to compile a model's kernels.
 */
const kUnzeroed = '--enable-dawn-features=disable_workgroup_init';

export async function openBrowser(flags = [kWebGpu, kUnzeroed]) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...flags,
    ],
  });
}

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
