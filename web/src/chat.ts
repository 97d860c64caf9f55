// chat.completions.create() in the shape of OpenAI's client.
import { HandloomError } from './errors.js';
import type { GenerationStream, Model, Session } from './model.js';
import type { Generation, Message } from './types.js';

export interface ChatRequest {
  messages: Message[];
  stream?: boolean;
  max_tokens?: number;
  temperature?: number;
  top_p?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  seed?: number;
  stop?: string | string[];
  signal?: AbortSignal;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

type FinishReason = 'stop' | 'length' | null;

export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  created: number;
  model: string;
  choices: [{ index: 0; message: Message; finish_reason: FinishReason }];
  usage: Usage;
}

export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  choices: [{ index: 0; delta: Partial<Message>; finish_reason: FinishReason }];
}

const finishReason = ({ finishReason: reason }: Generation): FinishReason =>
  reason === 'length' ? 'length' : 'stop';

export class Chat {
  private session: Promise<Session> | undefined;
  private turns: Promise<unknown> = Promise.resolve();
  private n = 0;

  constructor(private readonly model: Model) {}

  readonly completions = {
    create: ((request: ChatRequest) => this.create(request)) as {
      (request: ChatRequest & { stream: true }): Promise<AsyncIterable<ChatCompletionChunk>>;
      (request: ChatRequest): Promise<ChatCompletion>;
    },
  };

  private async create(request: ChatRequest): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
    if (!Array.isArray(request.messages) || request.messages.length === 0) {
      throw new HandloomError('invalid_argument', "chat: 'messages' is empty, expected at least one");
    }
    const head = {
      id: `chatcmpl-${++this.n}`,
      created: Math.floor(Date.now() / 1000),
      model: this.model.info.architecture,
    };
    const session = await (this.session ??= this.model.createSession());
    const start = () =>
      session.generate(request.messages, {
        maxTokens: request.max_tokens,
        temperature: request.temperature,
        topP: request.top_p,
        frequencyPenalty: request.frequency_penalty,
        presencePenalty: request.presence_penalty,
        seed: request.seed,
        stop: typeof request.stop === 'string' ? [request.stop] : request.stop,
        signal: request.signal,
      });
    if (request.stream) return this.chunks(head, start);
    const made = await (await this.inTurn(start)).result;
    const { promptTokens, generatedTokens } = made.stats;
    return {
      ...head,
      object: 'chat.completion',
      choices: [
        { index: 0, message: { role: 'assistant', content: made.text }, finish_reason: finishReason(made) },
      ],
      usage: {
        prompt_tokens: promptTokens,
        completion_tokens: generatedTokens,
        total_tokens: promptTokens + generatedTokens,
      },
    };
  }

  /** One answer after the other: they share a session. */
  private inTurn(start: () => GenerationStream): Promise<GenerationStream> {
    const stream = this.turns.then(start);
    this.turns = stream.then(({ result }) => result).catch(() => undefined);
    return stream;
  }

  private async *chunks(
    head: { id: string; created: number; model: string },
    start: () => GenerationStream,
  ): AsyncGenerator<ChatCompletionChunk> {
    const chunk = (delta: Partial<Message>, reason: FinishReason): ChatCompletionChunk => ({
      ...head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: reason }],
    });
    const stream = await this.inTurn(start);
    try {
      yield chunk({ role: 'assistant', content: '' }, null);
      for await (const { text } of stream) if (text) yield chunk({ content: text }, null);
      yield chunk({}, finishReason(await stream.result));
    } finally {
      stream.abort(); // if the loop over the chunks was left
    }
  }
}
