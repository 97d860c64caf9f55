// From the common dialect of src/tokenizer/regex_dialect.h to RegExp with the flags "gu".
//
//   \x{61}            \u{61}
//   (?i:'s|'t)        (?:'[sS\u017f]|'[tT]): not every engine knows modifiers
//   [^\r\n]?+  \p{L}++  (?=([^\r\n]?))\1: a lookahead never gives back what it matched
//   .  (?s:.)  ^  $    [^\n]  [^]  (?<![^\n])  (?![^\n]): JavaScript has more ends of lines than "\n"
//   \' \" \-          what needs no escape must have none

const kSyntax = /[\^$\\.*+?()[\]{}|/]/;
/** Letters that have a third form when case is ignored. */
const kThirdForm: Record<string, string> = { s: '\u017f', k: '\u212a' };

function escapeAt(pattern: string, at: number, inClass: boolean): [string, number] {
  const next = pattern[at + 1] ?? '';
  if (next === 'x' && pattern[at + 2] === '{') {
    const end = pattern.indexOf('}', at);
    return [`\\u{${pattern.slice(at + 3, end)}}`, end + 1];
  }
  if ((next === 'p' || next === 'P') && pattern[at + 2] === '{') {
    const end = pattern.indexOf('}', at) + 1;
    return [pattern.slice(at, end), end];
  }
  const needed = kSyntax.test(next) || /[a-zA-Z0-9]/.test(next) || (inClass && next === '-');
  return [needed ? `\\${next}` : next, at + 2];
}

function classAt(pattern: string, at: number): [string, number] {
  let out = '[';
  at++;
  if (pattern[at] === '^') out += pattern[at++];
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\') {
      const [escaped, end] = escapeAt(pattern, at, true);
      out += escaped;
      at = end;
    } else {
      out += pattern[at] === '[' ? '\\[' : pattern[at];
      at++;
    }
  }
  return [`${out}]`, at + 1];
}

function anyCase(letter: string): string {
  const lower = letter.toLowerCase(), upper = letter.toUpperCase();
  if (lower === upper || upper.length !== letter.length) return letter;
  return `[${lower}${upper}${kThirdForm[lower] ?? ''}]`;
}

export function toRegExp(pattern: string): RegExp {
  let out = '';
  let atom = 0; // where the last atom of `out` begins
  let nGroups = 0;
  const open: { begin: number; ignoresCase: boolean; dotIsAny: boolean }[] = [];
  let ignoresCase = false, dotIsAny = false;
  for (let at = 0; at < pattern.length; ) {
    const c = pattern[at];
    const before = out.length;
    if (c === '\\') {
      const [escaped, end] = escapeAt(pattern, at, false);
      out += escaped;
      at = end;
      atom = before;
    } else if (c === '[') {
      const [set, end] = classAt(pattern, at);
      out += set;
      at = end;
      atom = before;
    } else if (c === '(') {
      const flags = /^\(\?([ims]*)(?:-([ims]*))?([:)])/.exec(pattern.slice(at));
      if (flags?.[3] !== ')') open.push({ begin: before, ignoresCase, dotIsAny }); // else of the group around
      if (flags) {
        const [all, on, off = '', end] = flags;
        ignoresCase = (ignoresCase || on.includes('i')) && !off.includes('i');
        dotIsAny = (dotIsAny || on.includes('s')) && !off.includes('s');
        out += end === ':' ? '(?:' : '';
        at += all.length;
      } else if (pattern[at + 1] === '?') {
        const head = /^\(\?(?:<?[=!]|<\w+>)/.exec(pattern.slice(at))?.[0] ?? '(?';
        out += head;
        at += head.length;
      } else {
        out += '(?:'; // nothing refers to groups but what is made below
        at++;
      }
    } else if (c === ')') {
      const group = open.pop();
      out += ')';
      at++;
      if (group) {
        atom = group.begin;
        ({ ignoresCase, dotIsAny } = group);
      }
    } else if (/[*+?]/.test(c) || /^\{\d+,?\d*\}/.test(pattern.slice(at))) {
      const [quantifier] = /^(?:[*+?]|\{\d+,?\d*\})/.exec(pattern.slice(at))!;
      at += quantifier.length;
      if (pattern[at] === '+') {
        at++;
        out = `${out.slice(0, atom)}(?=(${out.slice(atom)}${quantifier}))\\${++nGroups}`;
      } else {
        out += quantifier;
        if (pattern[at] === '?') out += pattern[at++];
      }
    } else if (c === '.' || c === '^' || c === '$') {
      out += { '.': dotIsAny ? '[^]' : '[^\\n]', '^': '(?<![^\\n])', $: '(?![^\\n])' }[c];
      at++;
      atom = before;
    } else {
      const letter = String.fromCodePoint(pattern.codePointAt(at)!);
      out += ignoresCase ? anyCase(letter) : letter === '}' || letter === ']' ? `\\${letter}` : letter;
      at += letter.length;
      atom = before;
    }
  }
  return new RegExp(out, 'gu');
}
