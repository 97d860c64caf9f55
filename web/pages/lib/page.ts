// What every page does first: its flags, also on the links to the other pages.
import { type Flags, type OwnFlags, choiceNames, readFlags } from './flags.js';
import { say } from './status.js';

/** Keeps what concerns the model on the way to another page. */
function carryFlags({ model, choices }: Flags): void {
  const kept = new URLSearchParams();
  if (model !== undefined) kept.set('model', model);
  for (const name of choiceNames) if (choices[name] !== undefined) kept.set(name, choices[name]);
  const text = kept.toString();
  if (!text) return;
  for (const link of document.querySelectorAll<HTMLAnchorElement>('nav a')) link.search = text;
}

/** The URL's flags; nothing, if it has a wrong one, which the page then says. */
export function openPage(own: OwnFlags = {}): Flags | undefined {
  try {
    const flags = readFlags(own);
    carryFlags(flags);
    return flags;
  } catch (error) {
    say((error as Error).message, true);
    return undefined;
  }
}
