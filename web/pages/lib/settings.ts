// The chat's parameters, kept from one visit to the next.
import type { GenerateOptions } from '../../src/index.js';
import { byId } from './dom.js';

const kKey = 'handloom settings';

const form = () => byId('settings').querySelector('form')!;
const fields = () => Array.from(form().elements) as (HTMLInputElement | HTMLTextAreaElement)[];

/** Fills the form with what was kept, and keeps what changes. */
export function restoreSettings(): void {
  const kept = JSON.parse(localStorage.getItem(kKey) ?? '{}') as Record<string, string>;
  for (const field of fields()) field.value = kept[field.name] ?? '';
  form().addEventListener('input', () => {
    const values = fields().map((field) => [field.name, field.value]);
    localStorage.setItem(kKey, JSON.stringify(Object.fromEntries(values)));
  });
  form().addEventListener('submit', (event) => event.preventDefault());
}

/** What is filled in; throws an Error of one sentence for a number out of its range. */
export function readSettings(): { options: GenerateOptions; system: string } {
  const options: Record<string, number> = {};
  let system = '';
  for (const field of fields()) {
    if (field instanceof HTMLTextAreaElement) {
      system = field.value.trim();
    } else if (!field.validity.valid) {
      const { min, max } = field;
      throw new Error(
        `settings: '${field.labels![0].textContent!.trim()}' is '${field.value}', expected ` +
          (max ? `${min} to ${max}` : `a number from ${min} on`),
      );
    } else if (field.value !== '') {
      options[field.name] = Number(field.value);
    }
  }
  return { options, system };
}
