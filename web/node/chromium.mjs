// A Chromium without a window, with a fresh profile. Debian's runs WebGPU on SwiftShader where there is no GPU: no f16,
// small limits, slow.

/** Alone it gives WebGPU where there is no GPU. */
export const kWebGpu = '--enable-unsafe-webgpu';

/** `flags`: beside those that keep it from asking anything of the network. */
export async function openBrowser(flags, executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium') {
  const { chromium } = await import('playwright-core'); // a bench under Node needs none of it
  return chromium.launch({
    executablePath,
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
