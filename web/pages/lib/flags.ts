// What the URL asks for, with the names and values of the command line: ?plan=plain&kv=int8.
import type { LoadOptions } from '../../src/index.js';

const kChoices = {
  precision: ['auto', 'f32', 'f16'],
  kv: ['f32', 'f16', 'int8'],
  plan: ['plain', 'fused'],
  matvec: ['f32', 'int8'],
  subgroups: ['0', '1'],
} as const;

export type ChoiceName = keyof typeof kChoices;
export const choiceNames = Object.keys(kChoices) as ChoiceName[];
export const valuesOf = (name: ChoiceName): readonly string[] => kChoices[name];

/** Flags of a page of its own: a whole number above 0, or several with commas between. */
export type OwnFlags = Record<string, 'number' | 'list'>;

export interface Flags {
  model?: string;
  choices: Partial<Record<ChoiceName, string>>;
  /** What the engine loads with. */
  load: LoadOptions;
  /** Lists, too, have their numbers here. */
  numbers: Record<string, number[] | undefined>;
}

function parseNumbers(where: string, name: string, value: string, kind: 'number' | 'list'): number[] {
  const parts = kind === 'list' ? value.split(',') : [value];
  const numbers = parts.map(Number);
  if (parts.every((part) => /^\d+$/.test(part)) && numbers.every((n) => n > 0)) return numbers;
  const expected = kind === 'list' ? 'whole numbers above 0 with commas between' : 'a whole number above 0';
  throw new Error(`${where}: '${name}' is '${value}', expected ${expected}`);
}

/** Throws an Error of one sentence, which begins with `where`, for a flag or a value that there is not. */
export function readFlags(own: OwnFlags = {}, search = location.search, where = 'URL'): Flags {
  const flags: Flags = { choices: {}, load: {}, numbers: {} };
  const allOwn: OwnFlags = { context: 'number', ...own };
  for (const [name, value] of new URLSearchParams(search)) {
    if (name === 'model') {
      flags.model = value;
    } else if (name in kChoices) {
      const values = valuesOf(name as ChoiceName);
      if (!values.includes(value)) throw new Error(`${where}: '${name}' is '${value}', expected ${values.join(' or ')}`);
      flags.choices[name as ChoiceName] = value;
    } else if (name in allOwn) {
      flags.numbers[name] = parseNumbers(where, name, value, allOwn[name]);
    } else {
      const known = ['model', ...choiceNames, ...Object.keys(allOwn)];
      throw new Error(`${where}: '${name}' is not known here, expected ${known.join(', ')}`);
    }
  }
  const { precision, subgroups, ...others } = flags.choices;
  flags.load = {
    ...(others as LoadOptions),
    ...(precision && { precision: precision === 'auto' ? 'automatic' : (precision as 'f32' | 'f16') }),
    ...(subgroups && { subgroups: subgroups === '1' }),
    ...(flags.numbers.context && { context: flags.numbers.context[0] }),
  };
  return flags;
}

/** This page's address with one flag changed; without it, if there is no value. */
export function withFlag(name: string, value: string | undefined, search = location.search): string {
  const all = new URLSearchParams(search);
  if (value === undefined) all.delete(name);
  else all.set(name, value);
  const text = all.toString();
  return location.pathname + (text ? `?${text}` : '');
}
