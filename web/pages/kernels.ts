// Every kernel with its contract and its text, checked on this GPU.
import { byId, make, row, table, verdict } from './lib/dom.js';
import { percent, threeDigits } from './lib/format.js';
import { KernelChecks, type KernelReport } from './lib/inspector.js';
import { openPage } from './lib/page.js';
import { attempt, say, showProgress } from './lib/status.js';

const run = byId<HTMLButtonElement>('run');

/** A file of kernels/: what stands above the code, and all of it. */
class KernelView {
  readonly element: HTMLDetailsElement;
  private readonly state = make('span', { className: 'state' }, verdict('waiting'));
  private readonly cases = make('div');
  private reports: KernelReport[] = [];

  constructor(name: string, source: string) {
    const lines = source.split('\n');
    const end = lines.findIndex((line) => !line.startsWith('//'));
    const contract = lines.slice(0, end).map((line) => line.replace(/^\/\/ ?/, ''));
    const [, equation] = /^\w+: (.*)$/.exec(contract[0]) ?? ['', ''];
    this.element = make(
      'details',
      { className: 'kernel', id: name },
      make('summary', {}, make('code', {}, name), make('span', { className: 'equation' }, equation), this.state),
      make('pre', { className: 'contract', tabIndex: 0 }, contract.slice(1).join('\n').trim()),
      this.cases,
      make('details', {}, make('summary', {}, `${lines.length - 1} lines`), make('pre', { tabIndex: 0 }, source)),
    );
  }

  begin(): void {
    this.reports = [];
    this.state.replaceChildren(verdict('waiting'));
    this.cases.replaceChildren();
  }

  add(report: KernelReport): void {
    this.reports.push(report);
    const failed = this.reports.filter(({ passed }) => !passed).length;
    const n = this.reports.length;
    this.state.replaceChildren(
      make('span', { className: 'number' }, `${percent(this.exactShare())} exact`),
      failed ? verdict('fail', `${failed} of ${n} fail`) : verdict('pass', `${n} ${n > 1 ? 'cases pass' : 'case passes'}`),
    );
    const heads = ['Case', 'Values', 'Exact', 'Largest error', 'Mean error', 'Of the limit', ''];
    this.cases.replaceChildren(table(heads, this.reports.map(reportRow)));
  }

  private exactShare(): number {
    const sum = (of: (report: KernelReport) => number) => this.reports.reduce((total, one) => total + of(one), 0);
    return sum(({ exact }) => exact) / Math.max(1, sum(({ values }) => values));
  }
}

function reportRow(report: KernelReport): HTMLTableRowElement {
  const { about, variants, values, exact, maxError, meanError, ofLimit, passed, failure } = report;
  const made = row(
    about,
    values.toLocaleString('en'),
    percent(exact / Math.max(1, values)),
    threeDigits(maxError),
    threeDigits(meanError),
    ofLimit > 0 ? percent(ofLimit) : '\u2013',
    passed ? verdict('pass') : make('span', {}, verdict('fail'), ` ${failure}`),
  );
  made.title = variants;
  return made;
}

async function showKernels(): Promise<Map<string, KernelView>> {
  const fetchText = async (path: string) => {
    const response = await fetch(path);
    if (!response.ok) throw new Error(`${path}: the server answers ${response.status}, expected a kernel`);
    return response.text();
  };
  const names = JSON.parse(await fetchText('kernels/index.json')) as string[];
  const views = new Map<string, KernelView>();
  const sources = await Promise.all(names.map((name) => fetchText(`kernels/${name}.wgsl`)));
  names.forEach((name, i) => views.set(name, new KernelView(name, sources[i])));
  byId('kernels').replaceChildren(...[...views.values()].map(({ element }) => element));
  document.getElementById(location.hash.slice(1))?.setAttribute('open', '');
  return views;
}

async function runChecks(checks: KernelChecks, views: Map<string, KernelView>): Promise<void> {
  for (const view of views.values()) view.begin();
  const { kernels } = checks;
  let failed = 0;
  for (let i = 0; i < kernels.length; i++) {
    say(`Checking ${kernels[i]}`);
    showProgress(i / kernels.length);
    const report = await checks.run(i);
    if (!report.passed) failed++;
    views.get(report.kernel)?.add(report);
  }
  const unchecked = [...views.keys()].filter((name) => !kernels.includes(name));
  say(unchecked.length > 0 ? `Without a case: ${unchecked.join(', ')}.` : '', unchecked.length > 0);
  byId('summary').replaceChildren(
    verdict(failed ? 'fail' : 'pass', `${kernels.length - failed} of ${kernels.length} cases pass`),
    ` in ${views.size} kernels`,
  );
}

async function start(): Promise<void> {
  const views = await showKernels();
  const checks = await KernelChecks.open();
  const runAll = async () => {
    run.disabled = true;
    byId('summary').textContent = '';
    await attempt(() => runChecks(checks, views));
    run.disabled = false;
  };
  run.addEventListener('click', () => void runAll());
  await runAll();
}

if (openPage()) void attempt(start);
