// WebLLM on the same weights, where the server has its package (web/README.md says how to offer it).
// Only what is used of its interface is written down here.
import type { LoadProgress } from '../../src/index.js';

/** A line of /webllm/models.json: MLC's weights, and the library of kernels compiled for them. */
export interface WebLlmModel {
  model_id: string;
  /** The folder of the weights, which handloom loads, too. */
  model: string;
  model_lib: string;
}

interface Package {
  CreateMLCEngine(
    id: string,
    options: {
      appConfig: { model_list: WebLlmModel[] };
      initProgressCallback(report: { progress: number }): void;
    },
  ): Promise<{
    chat: {
      completions: {
        create(request: object): Promise<{
          usage: { completion_tokens: number; extra: { decode_tokens_per_s: number; prefill_tokens_per_s: number } };
          choices: { message: { content: string } }[];
        }>;
      };
    };
    unload(): Promise<void>;
  }>;
}

export interface Answer {
  text: string;
  tokens: number;
  prefillRate: number;
  decodeRate: number;
}

const kPackage = new URL('webllm/web-llm.js', location.href).href;
const kModels = new URL('webllm/models.json', location.href).href;

/** What the server offers; nothing, if it does not offer WebLLM. */
export async function offeredModels(): Promise<WebLlmModel[]> {
  const [code, list] = await Promise.all([fetch(kPackage, { method: 'HEAD' }), fetch(kModels)]);
  if (!code.ok || !list.ok) return [];
  const models = (await list.json()) as WebLlmModel[];
  const absolute = (path: string) => new URL(path, kModels).href;
  return models.map((one) => ({ ...one, model: absolute(one.model), model_lib: absolute(one.model_lib) }));
}

/** One greedy answer by WebLLM, its second: the first one compiles. */
export async function askWebLlm(
  model: WebLlmModel,
  prompt: string,
  maxTokens: number,
  onProgress: (progress: LoadProgress) => void,
): Promise<Answer> {
  const { CreateMLCEngine } = (await import(kPackage)) as Package;
  const engine = await CreateMLCEngine(model.model_id, {
    appConfig: { model_list: [model] },
    initProgressCallback: ({ progress }) =>
      onProgress({ doneBytes: Math.round(progress * 1e6), totalBytes: 1e6, stage: 'kernels' }),
  });
  try {
    const request = { messages: [{ role: 'user', content: prompt }], temperature: 0, max_tokens: maxTokens };
    await engine.chat.completions.create({ ...request, max_tokens: 8 });
    const { usage, choices } = await engine.chat.completions.create(request);
    return {
      text: choices[0].message.content,
      tokens: usage.completion_tokens,
      prefillRate: usage.extra.prefill_tokens_per_s,
      decodeRate: usage.extra.decode_tokens_per_s,
    };
  } finally {
    await engine.unload();
  }
}
