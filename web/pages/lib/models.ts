// The models that the pages offer, by their names on the Hub.

export interface Offered {
  /** What `?model=` takes, too. */
  id: string;
  label: string;
  source: string;
}

const hub = (repository: string, file: string) => `https://huggingface.co/${repository}/resolve/main/${file}`;

function onHub(repository: string, file: string, label: string): Offered {
  return { id: `${repository}:${file}`, label, source: hub(repository, file) };
}

export const kOffered: Offered[] = [
  { id: 'starter', label: 'Starter (14 MB: tiny stories and sums)', source: './models/starter' },
  onHub('Qwen/Qwen3-0.6B-GGUF', 'Qwen3-0.6B-Q8_0.gguf', 'Qwen 3 0.6B (0.6 GB)'),
  onHub('bartowski/Llama-3.2-1B-Instruct-GGUF', 'Llama-3.2-1B-Instruct-Q4_0.gguf', 'Llama 3.2 1B (0.8 GB)'),
  onHub('Qwen/Qwen2.5-1.5B-Instruct-GGUF', 'qwen2.5-1.5b-instruct-q4_0.gguf', 'Qwen 2.5 1.5B (1.1 GB)'),
  onHub('microsoft/Phi-3-mini-4k-instruct-gguf', 'Phi-3-mini-4k-instruct-q4.gguf', 'Phi-3-mini 3.8B (2.4 GB)'),
];

/** What to load for a name: one of those offered, `owner/name:file` on the Hub, or a URL. */
export function sourceOf(name: string): string {
  const offered = kOffered.find(({ id }) => id === name);
  if (offered) return offered.source;
  const onTheHub = /^([\w.-]+\/[\w.-]+)(?::([\w./-]+))?$/.exec(name);
  if (!onTheHub || name.startsWith('models/')) return name;
  return hub(onTheHub[1], onTheHub[2] ?? '').replace(/\/$/, '');
}
