// The GPU of the package `webgpu` (Dawn), on the software adapter that ./setup unpacks unless another
// is asked for: HANDLOOM_VULKAN=1 takes what the machine has.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { create, globals } from 'webgpu';

const software = fileURLToPath(new URL('../../.deps/mesa/lvp_icd.json', import.meta.url));
if (!process.env.HANDLOOM_VULKAN && existsSync(software)) process.env.VK_DRIVER_FILES = software;
process.env.XDG_RUNTIME_DIR ??= '/tmp'; // Mesa complains without one
Object.assign(globalThis, globals);

export const gpu = create(['backend=vulkan', 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia']);
