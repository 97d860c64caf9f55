// Making and finding elements.

export const byId = <T extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as T;

type Child = string | Node | undefined;

/** An element with properties, such as className, and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child): child is string | Node => child !== undefined));
  return element;
}

/** A row of a table: what it is about, then its cells. */
export function row(head: Child, ...cells: Child[]): HTMLTableRowElement {
  return make('tr', {}, make('th', { scope: 'row' }, head), ...cells.map((cell) => make('td', {}, cell)));
}

/** A table with these heads above its columns, in a box that scrolls where the page is narrow. */
export function table(heads: string[], rows: HTMLTableRowElement[]): HTMLElement {
  const head = make('tr', {}, ...heads.map((text) => make('th', { scope: 'col' }, text)));
  const made = make('table', {}, make('thead', {}, head), make('tbody', {}, ...rows));
  return make('div', { className: 'scrolls' }, made);
}

/** "pass" or "fail" as a word in a box of its own. */
export function verdict(state: 'pass' | 'fail' | 'running' | 'waiting', text: string = state): HTMLElement {
  return make('span', { className: `verdict ${state}` }, text);
}
