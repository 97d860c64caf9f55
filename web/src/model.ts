// A loaded model, and sessions on it.
import { Template } from '@huggingface/jinja';

import { HandloomError, checkSignal } from './errors.js';
import type { EngineHost } from './engine_host.js';
import type { ChatTemplate, GenerateOptions, Generation, LoadedModel, MemoryUse, Message } from './types.js';

export interface SessionGenerateOptions extends GenerateOptions {
  /** Ends the generation after the token under way. */
  signal?: AbortSignal;
}

/** One piece of an answer, as it comes. */
export interface GeneratedPiece {
  text: string;
  ids: number[];
}

/** The pieces of an answer; `result` has its whole and its figures when the last has come. */
export interface GenerationStream extends AsyncIterable<GeneratedPiece> {
  readonly result: Promise<Generation>;
  /** Ends it after the token under way; `result` has what was said until then. */
  abort(): void;
}

/** What a chat template makes of the messages, ready for the answer. */
export function renderChat(template: ChatTemplate, messages: Message[]): string {
  if (!template.text) {
    throw new HandloomError('unsupported', 'chat: the model has no chat template; generate from a text instead');
  }
  try {
    return new Template(template.text).render({
      messages,
      add_generation_prompt: true,
      bos_token: template.bosToken,
      eos_token: template.eosToken,
      unk_token: template.unkToken,
      pad_token: template.padToken,
    });
  } catch (error) {
    throw new HandloomError('bad_format', `chat: the template refuses: ${(error as Error).message}`);
  }
}

export class Model {
  readonly info: LoadedModel['model'];
  readonly adapter: LoadedModel['adapter'];
  readonly loadMs: number;

  constructor(
    readonly host: EngineHost,
    loaded: LoadedModel,
  ) {
    this.info = loaded.model;
    this.adapter = loaded.adapter;
    this.loadMs = loaded.loadMs;
  }

  async createSession(): Promise<Session> {
    return new Session(this, await this.host.openSession());
  }

  encode(text: string, addSpecials = false): Promise<number[]> {
    return this.host.encode(text, addSpecials);
  }

  decode(ids: number[]): Promise<string> {
    return this.host.decode(ids);
  }

  memory(): Promise<MemoryUse> {
    return this.host.memoryUse();
  }

  /** Frees the GPU and the worker. */
  dispose(): Promise<void> {
    return this.host.dispose();
  }
}

/** One timeline of tokens. What it holds is not evaluated again where the next prompt begins alike. */
export class Session {
  private busy = false;

  constructor(
    readonly model: Model,
    private readonly id: number,
  ) {}

  /** `prompt`: a text as it is, or a conversation through the model's chat template. */
  generate(prompt: string | Message[], options: SessionGenerateOptions = {}): GenerationStream {
    const control = new AbortController();
    if (options.signal?.aborted) control.abort();
    options.signal?.addEventListener('abort', () => control.abort(), { once: true, signal: control.signal });
    const waiting: GeneratedPiece[] = [];
    let wake = () => {};
    let done = false;
    const result = this.run(prompt, { ...options, signal: control.signal }, (text, ids) => {
      waiting.push({ text, ids });
      wake();
    }).finally(() => {
      done = true;
      control.abort(); // lets go of the caller's signal
      wake();
    });
    result.catch(() => undefined); // thrown by the iteration, too
    const abort = () => control.abort();
    async function* pieces() {
      try {
        for (;;) {
          while (waiting.length > 0) yield waiting.shift()!;
          if (done) break;
          await new Promise<void>((resolve) => (wake = resolve));
        }
        await result;
      } finally {
        if (!done) {
          abort(); // the loop over the pieces was left
          await result.catch(() => undefined);
        }
      }
    }
    return { result, abort, [Symbol.asyncIterator]: pieces };
  }

  close(): Promise<void> {
    return this.model.host.closeSession(this.id);
  }

  private async run(
    prompt: string | Message[],
    { signal, ...options }: SessionGenerateOptions,
    onText: (text: string, ids: number[]) => void,
  ): Promise<Generation> {
    if (this.busy) throw new HandloomError('invalid_argument', 'session: generates already; wait or abort first');
    checkSignal(signal, 'generate');
    this.busy = true;
    const stop = () => void this.model.host.cancel(this.id).catch(() => undefined);
    try {
      const ids = await this.continueWith(prompt);
      signal?.addEventListener('abort', stop, { once: true });
      const going = this.model.host.generate(this.id, ids, options, onText);
      if (signal?.aborted) stop();
      return await going;
    } finally {
      signal?.removeEventListener('abort', stop);
      this.busy = false;
    }
  }

  /** Rewinds to what the prompt has in common with the timeline, and answers with the rest. */
  private async continueWith(prompt: string | Message[]): Promise<number[]> {
    const { host, info } = this.model;
    const ids =
      typeof prompt === 'string'
        ? await host.encode(prompt, true)
        : await host.encode(renderChat(info.chatTemplate, prompt), false);
    const held = await host.sessionIds(this.id);
    let common = 0;
    while (common < held.length && common < ids.length - 1 && held[common] === ids[common]) common++;
    await host.rewind(this.id, common);
    return ids.slice(common);
  }
}
