// The line that says what goes on, or what went wrong in one sentence, and the bar below it.
import type { LoadProgress } from '../../src/index.js';
import { byId } from './dom.js';
import { bytesText } from './format.js';

const line = byId('status');
const bar = byId<HTMLProgressElement>('progress');

export function say(text: string, isWrong = false): void {
  line.textContent = text;
  line.classList.toggle('wrong', isWrong);
}

/** From 0 to 1; undefined: nothing is under way. */
export function showProgress(share: number | undefined): void {
  bar.hidden = share === undefined;
  if (share !== undefined) bar.value = share;
}

export function showLoading({ doneBytes, totalBytes, stage, notice }: LoadProgress): void {
  showProgress(totalBytes > 0 ? doneBytes / totalBytes : 0);
  if (notice) say(notice);
  else if (stage === 'weights') say(`Loading ${bytesText(doneBytes)} of ${bytesText(totalBytes)}`);
  else say('Preparing the kernels for this GPU');
}

/** Does something and says why, if it fails. True if it did not. */
export async function attempt(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    say((error as Error).message, true);
    return false;
  } finally {
    showProgress(undefined);
  }
}
