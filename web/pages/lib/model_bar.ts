// The bar that every page with a model has: which one, and what the URL's flags change about it.
import type { Model } from '../../src/index.js';
import { byId, make } from './dom.js';
import { type Flags, choiceNames, withFlag } from './flags.js';
import { handloom } from './package.js';
import { kOffered, sourceOf } from './models.js';
import { say, showLoading } from './status.js';

const kTyped = 'typed', kFile = 'file';

export class ModelBar {
  private readonly select = make('select', { id: 'model' });
  private readonly typed = make('input', { type: 'text', placeholder: 'owner/name:file.gguf, or a URL', hidden: true });
  private readonly file = make('input', { type: 'file', accept: '.gguf', hidden: true });
  private readonly forms: HTMLElement;

  /** `onChoice`: a person has chosen another model. */
  constructor(
    private readonly flags: Flags,
    onChoice: () => void,
  ) {
    this.typed.setAttribute('aria-label', 'Hub id or URL');
    for (const { id, label } of kOffered) this.select.append(new Option(label, id));
    this.select.append(new Option('By Hub id or URL ...', kTyped), new Option('A GGUF file of yours ...', kFile));
    this.preselect(flags.model);
    this.select.addEventListener('change', () => {
      this.typed.hidden = this.select.value !== kTyped;
      if (this.select.value === kTyped) this.typed.focus();
      else if (this.select.value === kFile) this.file.click();
      else onChoice();
    });
    this.typed.addEventListener('change', () => this.typed.value.trim() && onChoice());
    this.file.addEventListener('change', () => this.file.files?.[0] && onChoice());
    this.forms = make('span', { className: 'forms' }, ...this.formLinks());
    byId('model-bar').prepend(make('label', {}, 'Model ', this.select), this.typed, this.file, this.forms);
  }

  private preselect(model: string | undefined): void {
    if (model === undefined) return;
    const offered = kOffered.find(({ id }) => id === model || sourceOf(id) === model);
    this.select.value = offered?.id ?? kTyped;
    if (offered) return;
    this.typed.hidden = false;
    this.typed.value = model;
  }

  /** What the URL has changed, each with a way back. */
  private formLinks(): HTMLElement[] {
    return choiceNames
      .filter((name) => this.flags.choices[name] !== undefined)
      .map((name) => {
        const link = make('a', { href: withFlag(name, undefined), title: 'as the engine chooses' });
        link.textContent = `${name}=${this.flags.choices[name]} \u00d7`;
        return link;
      });
  }

  /** As people call it, for histories and tables. */
  get name(): string {
    if (this.select.value === kFile) return this.file.files?.[0]?.name ?? '';
    return this.select.value === kTyped ? this.typed.value.trim() : this.select.value;
  }

  /** Where it is; nothing, if there is nothing chosen yet. */
  get source(): string | File | undefined {
    if (this.select.value === kFile) return this.file.files?.[0];
    return this.name ? sourceOf(this.name) : undefined;
  }

  set disabled(value: boolean) {
    this.select.disabled = this.typed.disabled = value;
  }

  /** Loads what is chosen; `inspects`: with the module of the pages that look inside. */
  async load({ inspects = false, signal }: { inspects?: boolean; signal?: AbortSignal } = {}): Promise<Model> {
    const { source } = this;
    if (!source) throw new Error('Choose a model: a Hub id, a URL or a GGUF file.');
    say('Starting');
    const { checkCapabilities, loadModel } = await handloom();
    const loading = loadModel(source, {
      ...this.flags.load,
      ...(inspects && { wasmUrl: new URL('inspect.wasm', location.href) }),
      signal,
      onProgress: showLoading,
    });
    loading.catch(() => undefined);
    const { supported, reason } = await checkCapabilities(); // meanwhile: a browser takes its time for an adapter
    if (!supported) throw new Error(reason);
    const model = await loading;
    say(describe(model));
    return model;
  }
}

/** "llama, bf16 weights, ready in 0.40 s on SwiftShader" */
export function describe({ info, loadMs, adapter }: Model): string {
  return (
    `${info.architecture}, ${info.weightDtype} weights, ${info.kvDtype} cache, plan ${info.plan}, ` +
    `ready in ${(loadMs / 1000).toFixed(2)} s on ${adapter.name}`
  );
}
