// The models that the pages offer.

export interface Offered {
  /** What loads it, and what `?model=` takes: a repository of the Hub with a file, but for the starter. */
  id: string;
  label: string;
}

export const kOffered: Offered[] = [
  { id: 'starter', label: 'Starter (14 MB: tiny stories and sums)' },
  { id: 'Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0.gguf', label: 'Qwen 3 0.6B (0.6 GB)' },
  { id: 'bartowski/Llama-3.2-1B-Instruct-GGUF:Llama-3.2-1B-Instruct-Q4_0.gguf', label: 'Llama 3.2 1B (0.8 GB)' },
  { id: 'Qwen/Qwen2.5-1.5B-Instruct-GGUF:qwen2.5-1.5b-instruct-q4_0.gguf', label: 'Qwen 2.5 1.5B (1.1 GB)' },
  { id: 'microsoft/Phi-3-mini-4k-instruct-gguf:Phi-3-mini-4k-instruct-q4.gguf', label: 'Phi-3-mini 3.8B (2.4 GB)' },
];

const kStarter = './models/starter';

/** What to load for a name: one of those offered, a repository of the Hub, or a URL. */
export function sourceOf(name: string): string {
  if (name === 'starter') return kStarter;
  return name.startsWith('models/') ? `./${name}` : name;
}

/** The label of a model that is kept under `root`, or where it came from. */
export function labelOf(root: string): string {
  const isIts = ({ id }: Offered) =>
    id === 'starter' ? new URL(kStarter, location.href).href === root : root.endsWith(`/${id.replace(':', '/')}`);
  return kOffered.find(isIts)?.label ?? root;
}
