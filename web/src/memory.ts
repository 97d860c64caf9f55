// The memory of the WebAssembly engine, as this side reads and writes it.

export interface EngineExports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  handloom_alloc(bytes: number): number;
  handloom_free(at: number): void;
  handloom_call(text: number, bytes: number): number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Memory {
  exports!: EngineExports; // set once the engine is instantiated, which needs its imports first

  /** Views go stale when the memory grows: take a new one for every use. */
  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, at, length);
  }

  view(): DataView {
    return new DataView(this.exports.memory.buffer);
  }

  text(at: number, length: number): string {
    return decoder.decode(this.bytes(at, length));
  }

  /** Memory of the engine's that holds `bytes`; to be freed. */
  put(bytes: Uint8Array): number {
    const at = this.exports.handloom_alloc(Math.max(1, bytes.length));
    this.bytes(at, bytes.length).set(bytes);
    return at;
  }

  /** A Block of base/web_host.h, which the engine frees. */
  block(content: string | Uint8Array): number {
    const bytes = typeof content === 'string' ? encoder.encode(content) : content;
    const at = this.exports.handloom_alloc(4 + bytes.length);
    this.view().setUint32(at, bytes.length, true);
    this.bytes(at + 4, bytes.length).set(bytes);
    return at;
  }

  /** What a Block of the engine's says; frees it. */
  takeBlock(at: number): string {
    const text = this.text(at + 4, this.view().getUint32(at, true));
    this.exports.handloom_free(at);
    return text;
  }
}
