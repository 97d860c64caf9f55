// The engine's Backend (src/gpu/backend.h) over navigator.gpu. Ids are the engine's; nothing waits.
import { HandloomError, type ErrorCode } from './errors.js';
import type { Memory } from './memory.js';
import type { AdapterDescription } from './types.js';

/** The layout of gpu::Command and gpu::BufferRange in 32-bit words; backend_web.cpp asserts it. */
const kCommandWords = 18, kRangeWords = 6;

// Flags of GPUBufferUsage and the like by value: Node has no such globals.
const kMapRead = 0x1, kCopySrc = 0x4, kCopyDst = 0x8, kUniform = 0x40, kStorage = 0x80, kQueryResolve = 0x200;
/** By gpu::BufferUse. */
const kUsage = [
  kStorage | kCopySrc | kCopyDst,
  kUniform | kCopyDst,
  kMapRead | kCopyDst,
  kQueryResolve | kCopySrc,
];
const kStamps = 3; // BufferUse::stamps, which has a query set beside the buffer
const kStampBytes = 8;
const kCompute = 0x4;

const kLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
] as const;
const kFeatures = ['shader-f16', 'subgroups', 'timestamp-query'] as GPUFeatureName[];

export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { info, limits } = adapter;
  const has = (name: string) => adapter.features.has(name as GPUFeatureName);
  const name = info.description || info.device || `${info.vendor} ${info.architecture}`.trim();
  return {
    name: name || 'unnamed adapter',
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    software: info.isFallbackAdapter || /swiftshader|llvmpipe|basic render/i.test(name),
    features: {
      f16: has('shader-f16'),
      subgroups: has('subgroups'),
      min_subgroup_size: info.subgroupMinSize ?? 0,
      max_subgroup_size: info.subgroupMaxSize ?? 0,
      timestamps: has('timestamp-query'),
    },
    limits: {
      max_binding_bytes: limits.maxStorageBufferBindingSize,
      max_buffer_bytes: limits.maxBufferSize,
      max_bindings: limits.maxStorageBuffersPerShaderStage,
      max_invocations: limits.maxComputeInvocationsPerWorkgroup,
      max_workgroup_bytes: limits.maxComputeWorkgroupStorageSize,
      max_workgroups: limits.maxComputeWorkgroupsPerDimension,
    },
  };
}

interface Refusal {
  code: ErrorCode;
  message: string;
  pipeline?: number;
  line?: number;
  column?: number;
}

/** The first line of Dawn's message and its context, without stack-like lines. */
function oneLine(message: string): string {
  const [first, ...rest] = message.split('\n');
  return [first, ...rest.filter((l) => l.startsWith(' - ')).map((l) => l.slice(3))].join('; ');
}

export class Gpu {
  readonly description: AdapterDescription;
  private readonly device: GPUDevice;
  private readonly buffers = new Map<number, GPUBuffer>();
  private readonly queries = new Map<number, GPUQuerySet>(); // by the buffer of the stamps
  private readonly pipelines = new Map<number, GPUComputePipeline>();
  private readonly layouts = new Map<number, GPUBindGroupLayout>(); // of pipelines, by their ids
  private readonly compiling = new Map<number, Promise<void>>();
  /** Until then nothing reaches the GPU: pipelines of a submit are still being compiled. */
  private waiting: Promise<void> | undefined;
  private readonly bindGroups = new Map<number, GPUBindGroup>();
  private readonly maps = new Map<number, { done: boolean; ok: boolean; promise: Promise<void> }>();
  private scopes: Promise<unknown>[] = []; // error scopes whose verdict is not known yet
  private refusal: Refusal | undefined;
  private lost = false;

  /** The best adapter, with every limit and feature it has that a kernel may use. */
  static async open(gpu: GPU | undefined): Promise<Gpu> {
    if (!gpu) {
      throw new HandloomError(
        'unsupported',
        'device: this browser has no WebGPU; use a current Chrome, Edge, Safari or Firefox' +
          (globalThis.isSecureContext === false ? ' over https' : ''),
      );
    }
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) {
      throw new HandloomError(
        'gpu',
        'device: no adapter found, expected one of WebGPU; is the GPU blocked in the browser?',
      );
    }
    const requiredLimits: Record<string, number> = {};
    for (const name of kLimits) requiredLimits[name] = adapter.limits[name];
    const requiredFeatures = kFeatures.filter((name) => adapter.features.has(name));
    const device = await adapter
      .requestDevice({ label: 'handloom', requiredFeatures, requiredLimits })
      .catch((error: Error) => {
        throw new HandloomError('gpu', `device: the adapter refuses a device: ${error.message}`);
      });
    return new Gpu(gpu, adapter, device);
  }

  /** `gpu` is kept: under Node its end is that of the device. */
  private constructor(
    readonly gpu: GPU,
    adapter: GPUAdapter,
    device: GPUDevice,
  ) {
    this.description = describeAdapter(adapter);
    this.device = device;
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.refuse(this.codeOf(error), `device: ${oneLine(error.message)}`);
    });
    void device.lost.then(({ reason, message }) => this.lose(message || reason));
  }

  private lose(reason: string): void {
    this.lost = true;
    this.refusal = { code: 'device_lost', message: `device: adapter '${this.description.name}' was lost: ${reason}` };
  }

  destroy(): void {
    this.device.destroy();
  }

  /** When a buffer's map is over, and all refusals before it are known. 0: of no buffer. */
  async completed(buffer: number): Promise<void> {
    while (this.waiting) await this.waiting;
    const scopes = this.scopes;
    this.scopes = [];
    await Promise.all(scopes);
    if (buffer === 0) await this.device.queue.onSubmittedWorkDone().catch(() => undefined);
    await this.maps.get(buffer)?.promise;
  }

  /** Throws what the GPU refused, once it has answered all that was asked of it so far. */
  async checkRefusals(): Promise<void> {
    await Promise.all(this.scopes);
    if (this.refusal) throw new HandloomError(this.refusal.code, this.refusal.message);
  }

  private codeOf(error: GPUError): ErrorCode {
    return error.constructor.name === 'GPUOutOfMemoryError' ? 'out_of_memory' : 'gpu';
  }

  private refuse(code: ErrorCode, message: string, place: Partial<Refusal> = {}): void {
    if (!this.lost) this.refusal ??= { code, message, ...place };
  }

  /** What `make` makes; if the GPU refuses it, `where` begins the message. */
  private scoped<T>(where: string, make: () => T): T {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    const made = make();
    for (let i = 0; i < 2; i++) {
      const scope = this.device.popErrorScope().then((error) => {
        if (error) this.refuse(this.codeOf(error), `${where}: ${oneLine(error.message)}`);
      });
      this.scopes.push(scope.catch(() => undefined)); // of a lost device
    }
    return made;
  }

  private compile(pipeline: number, label: string, code: string): GPUShaderModule {
    const module = this.device.createShaderModule({ label, code });
    const info = module.getCompilationInfo().then(({ messages }) => {
      for (const { type, message, lineNum, linePos } of messages) {
        if (type === 'error') this.refuse('gpu', message, { pipeline, line: lineNum, column: linePos });
      }
    });
    this.scopes.push(info.catch(() => undefined));
    return module;
  }

  private createPipeline(id: number, aboutJson: string, source: string): void {
    const about = JSON.parse(aboutJson) as {
      label: string;
      entry: string;
      bindings: string;
      constants: Record<string, number>;
    };
    const { label } = about;
    const { layout, made } = this.scoped(`kernel '${label}'`, () => {
      const bindGroupLayout = this.device.createBindGroupLayout({
        label,
        entries: about.bindings.split(' ').map((type, binding) => ({
          binding,
          visibility: kCompute,
          buffer: { type: type as GPUBufferBindingType },
        })),
      });
      return {
        layout: bindGroupLayout,
        made: this.device.createComputePipelineAsync({
          label,
          layout: this.device.createPipelineLayout({ label, bindGroupLayouts: [bindGroupLayout] }),
          compute: {
            module: this.compile(id, label, source),
            entryPoint: about.entry,
            constants: about.constants,
          },
        }),
      };
    });
    this.layouts.set(id, layout);
    const done = made.then(
      (pipeline) => void this.pipelines.set(id, pipeline),
      (error: Error) => this.refuse('gpu', `kernel '${label}': ${oneLine(error.message)}`),
    );
    this.compiling.set(id, done.then(() => void this.compiling.delete(id)));
  }

  /** Does what reaches the GPU at once, or after what waits already. */
  private inOrder(act: () => void): void {
    if (!this.waiting) act();
    else this.waitFor(this.waiting.then(act));
  }

  private waitFor(end: Promise<void>): void {
    const settled = end
      .catch((error: Error) => this.refuse('gpu', `device: ${oneLine(error.message)}`))
      .then(() => {
        if (this.waiting === settled) this.waiting = undefined;
      });
    this.waiting = settled;
  }

  private createBindGroup(id: number, label: string, pipeline: number, words: Uint32Array): void {
    const entries: GPUBindGroupEntry[] = [];
    for (let i = 0; i < words.length; i += kRangeWords) {
      entries.push({
        binding: entries.length,
        resource: {
          buffer: this.buffers.get(words[i])!,
          offset: words[i + 2] + words[i + 3] * 2 ** 32,
          size: words[i + 4] + words[i + 5] * 2 ** 32,
        },
      });
    }
    const layout = this.layouts.get(pipeline)!;
    const group = this.scoped(`bind group of '${label}'`, () =>
      this.device.createBindGroup({ label, layout, entries }),
    );
    this.bindGroups.set(id, group);
  }

  /** A list whose pipelines are not all compiled waits for them, and what follows for the list. */
  private submitWhenCompiled(label: string, words: Uint32Array, ...stamping: [number, number, number]): void {
    const missing = new Set<Promise<void>>();
    for (let i = 0; i < words.length; i += kCommandWords) {
      const compiling = words[i] === 1 ? undefined : this.compiling.get(words[i + 1]);
      if (compiling) missing.add(compiling);
    }
    if (missing.size === 0 && !this.waiting) {
      this.submit(label, words, ...stamping);
      return;
    }
    const commands = words.slice(); // the engine's memory moves on
    const compiled = Promise.all([this.waiting, ...missing]);
    this.waitFor(compiled.then(() => this.submit(label, commands, ...stamping)));
  }

  /** `stamping`: 1 writes the GPU's time before the list and after it, 2 before and after each command. */
  private submit(label: string, words: Uint32Array, stamping: number, stamps: number, nextStamp: number): void {
    if (this.refusal) return; // a kernel that is not there, or worse: it is told with the next readback
    const encoder = this.device.createCommandEncoder({ label });
    const querySet = this.queries.get(stamps)!;
    // Only passes can be stamped: what is none stands between two empty ones.
    const stampBegin = () =>
      encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex: nextStamp++ } }).end();
    const stampEnd = () =>
      encoder.beginComputePass({ timestampWrites: { querySet, endOfPassWriteIndex: nextStamp++ } }).end();
    let pass: GPUComputePassEncoder | undefined;
    let bound = 0;
    if (stamping === 1) stampBegin();
    for (let i = 0; i < words.length; i += kCommandWords) {
      if (words[i] === 1) {
        pass?.end();
        pass = undefined;
        if (stamping === 2) stampBegin();
        this.encodeCopy(encoder, words.subarray(i, i + kCommandWords));
        if (stamping === 2) stampEnd();
        continue;
      }
      if (!pass) {
        pass = encoder.beginComputePass(
          stamping === 2
            ? {
                label,
                timestampWrites: {
                  querySet,
                  beginningOfPassWriteIndex: nextStamp++,
                  endOfPassWriteIndex: nextStamp++,
                },
              }
            : { label },
        );
        bound = 0;
      }
      if (words[i + 1] !== bound) pass.setPipeline(this.pipelines.get(words[i + 1])!);
      bound = words[i + 1];
      pass.setBindGroup(0, this.bindGroups.get(words[i + 2])!);
      pass.dispatchWorkgroups(words[i + 3], words[i + 4], words[i + 5]);
      if (stamping === 2) {
        pass.end();
        pass = undefined;
      }
    }
    pass?.end();
    if (stamping === 1) stampEnd();
    this.device.queue.submit([encoder.finish()]);
  }

  private encodeCopy(encoder: GPUCommandEncoder, copy: Uint32Array): void {
    const at = (word: number) => copy[word] + copy[word + 1] * 2 ** 32;
    const from = this.buffers.get(copy[6])!, to = this.buffers.get(copy[12])!;
    const querySet = this.queries.get(copy[6]);
    if (querySet) {
      encoder.resolveQuerySet(querySet, at(8) / kStampBytes, at(10) / kStampBytes, from, 0);
      encoder.copyBufferToBuffer(from, 0, to, at(14), at(10));
    } else {
      encoder.copyBufferToBuffer(from, at(8), to, at(14), at(10));
    }
  }

  private startMap(id: number, bytes: number): void {
    const map = { done: false, ok: false, promise: Promise.resolve() };
    const start = () => this.buffers.get(id)!.mapAsync(1, 0, bytes); // GPUMapMode.READ
    map.promise = (this.waiting ? this.waiting.then(start) : start())
      .then(() => void (map.ok = true))
      .catch(() => {
        // Not if the buffer was destroyed: a step past the end, whose token nobody wants.
        if (this.maps.get(id) === map) this.refuse('gpu', 'device: a readback was refused');
      })
      .then(() => void (map.done = true));
    this.maps.set(id, map);
  }

  private finishMap(id: number, to: Uint8Array): number {
    const buffer = this.buffers.get(id)!;
    if (!this.maps.get(id)?.ok) return 0;
    try {
      to.set(new Uint8Array(buffer.getMappedRange(0, to.length)));
    } catch {
      this.lose('a readback is gone'); // since its map was done, and nobody has said so yet
      return 0;
    }
    buffer.unmap();
    this.maps.delete(id);
    return 1;
  }

  /** The module "gpu" of src/base/web_host.h. */
  imports(memory: Memory): Record<string, (...args: number[]) => number | void> {
    const words = (at: number, n: number) => new Uint32Array(memory.exports.memory.buffer, at, n);
    return {
      adapter: () => memory.block(JSON.stringify(this.description)),
      create_buffer: (id, label, n, bytes, use) => {
        const name = memory.text(label, n);
        const made = this.scoped(`device: buffer '${name}' of ${bytes} bytes`, () =>
          this.device.createBuffer({ label: name, size: bytes, usage: kUsage[use] }),
        );
        this.buffers.set(id, made);
        if (use === kStamps) {
          const count = bytes / kStampBytes;
          this.queries.set(id, this.device.createQuerySet({ label: name, type: 'timestamp', count }));
        }
      },
      destroy_buffer: (id) =>
        this.inOrder(() => {
          this.buffers.get(id)?.destroy();
          this.buffers.delete(id);
          this.queries.get(id)?.destroy();
          this.queries.delete(id);
          this.maps.delete(id);
        }),
      write_buffer: (id, offset, at, n) => {
        const bytes = memory.bytes(at, n) as Uint8Array<ArrayBuffer>;
        const kept = this.waiting ? bytes.slice() : bytes; // the engine's memory moves on
        this.inOrder(() => this.device.queue.writeBuffer(this.buffers.get(id)!, offset, kept));
      },
      create_pipeline: (id, about, nAbout, source, nSource) =>
        this.createPipeline(id, memory.text(about, nAbout), memory.text(source, nSource)),
      create_bind_group: (id, label, n, pipeline, ranges, nRanges) =>
        this.createBindGroup(id, memory.text(label, n), pipeline, words(ranges, nRanges * kRangeWords)),
      destroy_bind_group: (id) => this.inOrder(() => void this.bindGroups.delete(id)),
      submit: (label, n, commands, nCommands, stamping, stamps, firstStamp) =>
        this.submitWhenCompiled(
          memory.text(label, n),
          words(commands, nCommands * kCommandWords),
          stamping,
          stamps,
          firstStamp,
        ),
      start_map: (id, bytes) => this.startMap(id, bytes),
      is_mapped: (id) => (this.maps.get(id)?.done ? 1 : 0),
      finish_map: (id, out, n) => this.finishMap(id, memory.bytes(out, n)),
      take_error: () => {
        const refusal = this.refusal;
        if (!this.lost) this.refusal = undefined;
        return refusal ? memory.block(JSON.stringify(refusal)) : 0;
      },
      lose_device: () => this.device.destroy(),
    };
  }
}
