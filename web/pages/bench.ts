// The native bench's table, measured in this tab.
import { byId, make, row, table } from './lib/dom.js';
import { type ChoiceName, type Flags, choiceNames, valuesOf, withFlag } from './lib/flags.js';
import { median, percent, rateText, threeDigits } from './lib/format.js';
import { showHeadToHead } from './lib/head_to_head.js';
import { type Figure, fitWork, titleOf } from './lib/measure.js';
import { ModelBar } from './lib/model_bar.js';
import { openPage } from './lib/page.js';
import { type Report, measureModel, reportOf } from './lib/report.js';
import { type Run, forgetRuns, keepRun, keptRuns } from './lib/runs.js';
import { attempt, say, showProgress } from './lib/status.js';

const run = byId<HTMLButtonElement>('run');
let bar: ModelBar | undefined;

/** A link for each value of each choice: the same page in another form. */
function showForms({ choices }: Flags): void {
  const group = (name: ChoiceName) => {
    const link = (label: string, value: string | undefined) => {
      const made = make('a', { href: withFlag(name, value) }, label);
      if (choices[name] === value) made.setAttribute('aria-current', 'true');
      return made;
    };
    return make('span', { className: 'choice' }, `${name} `, link('default', undefined), ...valuesOf(name).map((v) => link(v, v)));
  };
  byId('forms').replaceChildren(...choiceNames.map(group));
}

function figureRow(figure: Figure, readBandwidth: number): HTMLTableRowElement {
  const { unit, samples, bytesPerSecond } = figure;
  const isOne = samples.length === 1;
  return row(
    titleOf(figure),
    threeDigits(median(samples)),
    isOne ? '' : threeDigits(Math.min(...samples)),
    isOne ? '' : threeDigits(Math.max(...samples)),
    unit,
    bytesPerSecond ? rateText(bytesPerSecond) : '',
    bytesPerSecond ? percent(bytesPerSecond / readBandwidth) : '',
  );
}

/** "Chrome/156", or what else comes last in what the browser calls itself. */
const browserName = () => navigator.userAgent.match(/(Chrome|Edg|Firefox|Version)\/\d+/g)?.at(-1) ?? navigator.userAgent;

function showRun(made: Run, report: Report): void {
  const heads = ['', 'Median', 'Least', 'Most', 'Unit', 'Bandwidth', 'Of a plain read'];
  byId('result').replaceChildren(
    make('h2', {}, made.model),
    make('p', { className: 'hint' }, `${made.form}, on ${made.adapter}, where a plain read reaches ${rateText(made.readBandwidth)}`),
    table(heads, made.figures.map((figure) => figureRow(figure, made.readBandwidth))),
    make('details', {}, make('summary', {}, 'As handloom bench --json has it'), make('pre', { id: 'report' }, JSON.stringify(report))),
  );
}

/** Runs of one model side by side: decode and prefill, and their ratio to the newest. */
function showEarlier(runs: Run[]): void {
  const place = byId('earlier');
  place.replaceChildren();
  if (runs.length < 2) return;
  const rates = ({ figures }: Run) => figures.filter(({ unit }) => unit === 'tok/s');
  const heads = ['Model and form', ...rates(runs[0]).map(titleOf)];
  const cell = (title: string, one: Run) => {
    const [now, then] = [runs[0], one].map((r) => r.figures.find((figure) => titleOf(figure) === title));
    if (!now || !then) return '';
    const rate = median(then.samples);
    return `${threeDigits(rate)} (${threeDigits(rate / median(now.samples))}\u00d7)`;
  };
  const rows = runs.map((one) => row(`${one.model}: ${one.form}`, ...heads.slice(1).map((title) => cell(title, one))));
  const forget = make('button', { type: 'button' }, 'Forget them');
  forget.addEventListener('click', () => {
    forgetRuns();
    showEarlier([]);
  });
  place.append(
    make('h2', {}, 'Runs in this browser'),
    make('p', { className: 'hint' }, 'tok/s, and in parentheses their ratio to the newest run'),
    table(heads, rows),
    forget,
  );
}

async function runBench(flags: Flags): Promise<void> {
  const model = await bar!.load({ inspects: true });
  try {
    const { info, adapter } = model;
    const work = fitWork(flags.numbers, info.context);
    say('Measuring');
    const measured = await measureModel(model, work, showProgress);
    const { readBandwidth, figures } = measured;
    const subgroups = adapter.features.subgroups && flags.load.subgroups !== false ? 'subgroups' : 'no subgroups';
    const made: Run = {
      date: new Date().toISOString(),
      model: bar!.name,
      adapter: adapter.name,
      form: `plan ${info.plan}, matvec ${info.matvec}, ${info.precision}, cache ${info.kvDtype}, ${subgroups}`,
      readBandwidth,
      figures,
    };
    const place = { system: navigator.platform, host: browserName() };
    showRun(made, reportOf(bar!.name, flags.load, model, work.repeats, place, measured));
    showEarlier(keepRun(made));
    say('');
  } finally {
    await model.dispose();
  }
}

const flags = openPage({ contexts: 'list', prompt: 'number', tokens: 'number', repeats: 'number' });
if (flags) {
  bar = new ModelBar(flags, () => undefined);
  showForms(flags);
  showEarlier(keptRuns());
  run.disabled = false;
  run.addEventListener('click', async () => {
    run.disabled = bar!.disabled = true;
    await attempt(() => runBench(flags));
    run.disabled = bar!.disabled = false;
  });
  void showHeadToHead(flags);
}
