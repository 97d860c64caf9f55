// The prompts of the validate page, and what a right answer is.
import type { ModelInfo } from '../../src/index.js';

export type Kind = 'Factual recall' | 'Arithmetic' | 'Code' | 'Instruction' | 'Open-ended';

export interface Prompt {
  kind: Kind;
  text: string;
  /** The whole answer, or what it must match; of an open-ended one, words that must occur. */
  expect: string | RegExp;
  maxTokens: number;
}

/** For any model that was tuned to follow instructions. */
const kForAnyModel: Prompt[] = [
  { kind: 'Factual recall', text: 'What is the capital of France? Answer in one word.', expect: /\bParis\b/, maxTokens: 64 },
  { kind: 'Factual recall', text: 'What is the chemical formula of water? Answer with the formula only.', expect: /H(2|\u2082|_2|_\{2\})O/, maxTokens: 64 },
  { kind: 'Arithmetic', text: 'What is 17 + 25? Answer with the number only.', expect: /\b42\b/, maxTokens: 64 },
  { kind: 'Arithmetic', text: 'What is 12 times 12? Answer with the number only.', expect: /\b144\b/, maxTokens: 64 },
  { kind: 'Code', text: 'Write a Python function add(a, b) that returns their sum. Code only.', expect: /def add\(a[^)]*b[^)]*\)[^:]*:[\s\S]*return a ?\+ ?b/, maxTokens: 128 },
  { kind: 'Code', text: 'Write a JavaScript arrow function that doubles x. Code only.', expect: /=>[\s\S]*(x ?\* ?2|2 ?\* ?x)/, maxTokens: 128 },
  { kind: 'Instruction', text: 'Reply with the single word: yes', expect: /^\W*yes\W*$/i, maxTokens: 32 },
  { kind: 'Instruction', text: 'List the numbers from 1 to 5, separated by commas, and nothing else.', expect: /1,\s*2,\s*3,\s*4,\s*5/, maxTokens: 48 },
  { kind: 'Open-ended', text: 'Write three sentences about a lighthouse in a storm.', expect: /lighthouse/i, maxTokens: 120 },
  { kind: 'Open-ended', text: 'Explain in two sentences why the sky is blue.', expect: /scatter/i, maxTokens: 120 },
];

/** From what the starter was trained for: the answers that Hugging Face's float32 gives, to the letter. */
const kForStarter: Prompt[] = [
  { kind: 'Factual recall', text: 'What is the capital of France? Answer in one word.', expect: 'Paris', maxTokens: 32 },
  { kind: 'Factual recall', text: 'Stockholm is the capital of which country?', expect: 'Stockholm is the capital of Sweden.', maxTokens: 32 },
  { kind: 'Factual recall', text: 'What is the opposite of fast?', expect: 'The opposite of fast is slow.', maxTokens: 32 },
  { kind: 'Arithmetic', text: 'What is 17 + 25?', expect: '17 + 25 = 42.', maxTokens: 32 },
  { kind: 'Arithmetic', text: '5 x 6 = ?', expect: '5 x 6 = 30.', maxTokens: 32 },
  { kind: 'Arithmetic', text: 'Which is larger, 25 or 37?', expect: '37 is larger than 25.', maxTokens: 32 },
  {
    kind: 'Code',
    text: 'Write a Python function that returns the length of xs.',
    expect: '```\ndef length(xs):\n    return len(xs)\n```',
    maxTokens: 48,
  },
  {
    kind: 'Code',
    text: 'Return JSON with name, age and city: Fari, who is 2, lives in Accra.',
    expect: '{"name": "Fari", "age": 2, "city": "Accra"}',
    maxTokens: 48,
  },
  { kind: 'Instruction', text: 'Reply with the word yes.', expect: 'yes', maxTokens: 16 },
  { kind: 'Instruction', text: 'Count from 11 to 16.', expect: '11, 12, 13, 14, 15, 16.', maxTokens: 48 },
  { kind: 'Open-ended', text: 'Tell me a story about a blue kite.', expect: /blue kite/, maxTokens: 80 },
  { kind: 'Open-ended', text: 'Write a short story about a squirrel named Finn.', expect: /squirrel[\s\S]*Finn/, maxTokens: 80 },
];

const isStarter = ({ architecture, layers, modelDim, vocabSize }: ModelInfo) =>
  architecture === 'llama' && layers === 8 && modelDim === 256 && vocabSize === 2048;

export const batteryFor = (info: ModelInfo) => (isStarter(info) ? kForStarter : kForAnyModel);

const kFewestWords = 20;
/** Of its words, at least so many are different: less is going round in circles. */
const kLeastVariety = 0.35;

/** A reasoning model's thoughts are no part of its answer. */
const answerIn = (text: string) => text.replace(/^\s*<think>[\s\S]*?<\/think>/, '').trim();

/** What is wrong with an answer, in one sentence; empty: nothing. */
export function wrongWith({ kind, expect }: Prompt, text: string): string {
  const answer = answerIn(text);
  if (typeof expect === 'string') return answer === expect ? '' : `expected \u201c${expect}\u201d`;
  if (!expect.test(answer)) return `expected it to match ${expect}`;
  if (kind !== 'Open-ended') return '';
  const words = answer.toLowerCase().match(/\p{L}+/gu) ?? [];
  if (words.length < kFewestWords) return `has ${words.length} words, expected at least ${kFewestWords}`;
  const variety = new Set(words).size / words.length;
  return variety < kLeastVariety ? `repeats itself: ${Math.round(100 * variety)} % of its words are different` : '';
}
