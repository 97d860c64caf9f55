// A step as a strip of its dispatches, and what the one that is pointed at binds.
import { make, row, table } from './dom.js';
import { bytesText, percent, rateText, threeDigits } from './format.js';
import type { Entry, StepList } from './inspector.js';

const kHues = 12;

interface Group {
  kernel: string;
  count: number;
  weight: number;
  bytes: number;
}

function groupByKernel(entries: Entry[], weightOf: (entry: Entry) => number): Group[] {
  const groups = new Map<string, Group>();
  for (const entry of entries) {
    const { kernel } = entry;
    const group = groups.get(kernel) ?? { kernel, count: 0, weight: 0, bytes: 0 };
    group.count++;
    group.weight += weightOf(entry);
    group.bytes += entry.bytes;
    groups.set(kernel, group);
  }
  return [...groups.values()].sort((a, b) => b.weight - a.weight);
}

export class Strip {
  readonly element: HTMLElement;
  private readonly detail = make('div', { className: 'detail' });
  private readonly segments: HTMLButtonElement[];
  private readonly isTimed: boolean;
  private readonly total: number;
  private readonly hues: Map<string, number>; // by kernel: those that take longest differ

  constructor(
    title: string,
    private readonly step: StepList,
  ) {
    const { entries } = step;
    this.isTimed = entries.every(({ us }) => us !== undefined) && entries.some(({ us }) => us! > 0);
    this.total = entries.reduce((sum, entry) => sum + this.weightOf(entry), 0);
    const groups = groupByKernel(entries, (entry) => this.weightOf(entry));
    this.hues = new Map(groups.map(({ kernel }, i) => [kernel, i % kHues]));
    this.segments = entries.map((entry, i) => this.segment(entry, i));
    this.segments[0].tabIndex = 0;
    const strip = make('div', { className: 'strip' }, ...this.segments);
    strip.setAttribute('role', 'toolbar');
    strip.setAttribute('aria-label', `Dispatches of the ${title}`);
    strip.addEventListener('keydown', (event) => this.move(event));
    this.element = make(
      'section',
      { className: 'step' },
      make('h2', {}, title),
      make('p', { className: 'hint' }, this.summary()),
      strip,
      this.detail,
      this.groupTable(groups),
    );
    this.show(0);
  }

  private weightOf({ us, bytes }: Entry): number {
    return this.isTimed ? us! : bytes;
  }

  private summary(): string {
    const n = `${this.step.entries.length} dispatches`;
    if (!this.isTimed) {
      const why = this.step.spanUs === undefined ? 'this adapter has no clock to read' : "the adapter's clock stood still";
      return `${n}, ${bytesText(this.total)} in all, drawn by bytes: ${why}.`;
    }
    const whole = this.step.spanUs ? `; as submitted, ${threeDigits(this.step.spanUs)} \u00b5s` : '';
    return `${n}, ${threeDigits(this.total)} \u00b5s in passes of their own${whole}. Drawn by GPU time.`;
  }

  private segment(entry: Entry, i: number): HTMLButtonElement {
    const button = make('button', { type: 'button', tabIndex: -1, className: `hue-${this.hues.get(entry.kernel)}` });
    button.style.flexGrow = String(this.weightOf(entry) / this.total);
    button.setAttribute('aria-label', `${i + 1}: ${entry.kernel}, ${this.cost(entry)}`);
    button.addEventListener('pointerenter', () => this.show(i));
    button.addEventListener('focus', () => this.show(i));
    return button;
  }

  /** The arrow keys, Home and End go from dispatch to dispatch. */
  private move(event: KeyboardEvent): void {
    const at = this.segments.indexOf(document.activeElement as HTMLButtonElement);
    const last = this.segments.length - 1;
    const to = { ArrowRight: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    this.segments[at].tabIndex = -1;
    this.segments[to].tabIndex = 0;
    this.segments[to].focus();
  }

  private cost({ us, bytes }: Entry): string {
    if (!this.isTimed || us === undefined) return bytesText(bytes);
    const rate = us > 0 ? `, ${rateText((bytes / us) * 1e6)}` : '';
    return `${threeDigits(us)} \u00b5s, ${bytesText(bytes)}${rate}`;
  }

  private show(i: number): void {
    for (const segment of this.segments) segment.classList.remove('shown');
    this.segments[i].classList.add('shown');
    const entry = this.step.entries[i];
    const bindings = entry.bindings.map(({ name, tensor, dtype, shape, written }) =>
      row(name, tensor, dtype, shape, written ? 'written' : 'read'),
    );
    this.detail.replaceChildren(
      make(
        'p',
        {},
        make('strong', {}, `${i + 1} of ${this.step.entries.length}: ${entry.kernel}`),
        ` \u2013 ${this.cost(entry)}, ${percent(this.weightOf(entry) / this.total)}`,
      ),
      make('p', { className: 'hint' }, `grid ${entry.workgroups.join(' \u00d7 ')}; ${[entry.params, entry.constants].filter(Boolean).join('; ')}`),
      table(['Binding', 'Tensor', 'Type', 'Shape', ''], bindings),
    );
  }

  private groupTable(groups: Group[]): HTMLElement {
    const rows = groups.map(({ kernel, count, weight, bytes }) => {
      const name = make('span', {}, make('span', { className: `swatch hue-${this.hues.get(kernel)}` }), kernel);
      const cells = [String(count), bytesText(bytes), percent(weight / this.total)];
      if (this.isTimed) cells.push(`${threeDigits(weight)} \u00b5s`, weight > 0 ? rateText((bytes / weight) * 1e6) : '');
      return row(name, ...cells);
    });
    const heads = ['Kernel', 'Count', 'Bytes', 'Share', ...(this.isTimed ? ['GPU time', 'Bandwidth'] : [])];
    return table(heads, rows);
  }
}
