// The GPU of the tests under Node: the software adapter that ./setup unpacks unless another is asked for:
// HANDLOOM_VULKAN=1 takes what the machine has.
import { openGpu } from '../node/gpu.mjs';

const flags = ['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia'];
export const gpu = await openGpu(flags, { softwareOnly: !process.env.HANDLOOM_VULKAN });
