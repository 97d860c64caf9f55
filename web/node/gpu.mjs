// The GPU of the package `webgpu`: Dawn, which loads Vulkan drivers, the software adapter of ./setup beside those of
// the machine.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { create, globals } from 'webgpu';

const kSoftwareDriver = fileURLToPath(new URL('../../.deps/mesa/lvp_icd.json', import.meta.url));
const kSoftware = /llvmpipe|swiftshader/i;

/**
 * While something is asked of Dawn, its binding looks for the answer without pause, in setImmediate. A software adapter
 * needs that core itself: there it looks every millisecond.
 */
function lookLessOften() {
  globalThis.setImmediate = (look, ...args) => setTimeout(look, 0, ...args);
}

/** `flags`: those of create(); `softwareOnly`: hides other adapters. */
export async function openGpu(flags, { softwareOnly = false } = {}) {
  if (existsSync(kSoftwareDriver)) process.env[softwareOnly ? 'VK_DRIVER_FILES' : 'VK_ADD_DRIVER_FILES'] ??= kSoftwareDriver;
  process.env.XDG_RUNTIME_DIR ??= '/tmp'; // Mesa complains without one
  Object.assign(globalThis, globals);
  const gpu = create(['backend=vulkan', ...flags]);
  const { device, description } = (await gpu.requestAdapter({ powerPreference: 'high-performance' }))?.info ?? {};
  if (kSoftware.test(`${device} ${description}`)) lookLessOften();
  return gpu;
}
