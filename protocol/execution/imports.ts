/** Name what a module imports, for the people who have to do without it. */
import type { Reader } from './reader.ts';

/** What an import may be, by its number in the binary format. */
const importKinds = ['function', 'table', 'memory', 'global', 'tag'] as const;
/** Characters of a name that are shown. */
const shownCharactersMax = 40;

/**
 * A name out of a module, as it may stand in a sentence: printable ASCII without blanks, what is
 * not as `\u{…}`, and no longer than people read. Its author may be anybody.
 */
export function shownName(name: string): string {
  // Cut before it is taken apart: a name may have megabytes.
  const characters = [...name.slice(0, 2 * shownCharactersMax)];
  const shown = characters.slice(0, shownCharactersMax).map((character) => {
    const plain = /^[!-~]$/.test(character) && character !== '\\';
    return plain ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
  return `${shown.join('')}${characters.length > shownCharactersMax ? '…' : ''}`;
}

/** What to do about the imports that compilers are known for, by kind and name: the first that fits. */
const remedies: readonly (readonly [import: RegExp, remedy: string])[] = [
  [
    /^function env\.abort$/,
    'AssemblyScript puts it there unless told not to: build with `anwansi program build`, or with ' +
      '`asc --use abort=`',
  ],
  [
    /^function env\.seed$/,
    'chance would differ on each machine: draw numbers of your own from the item',
  ],
  [/^function env\.(trace$|\w+\.)/, 'a program sees no clock and no terminal: leave the call out'],
  [
    /^\w+ wasi_/,
    'it was built for WASI: build for bare WebAssembly, clang with --target=wasm32 -nostdlib, Rust ' +
      'for wasm32-unknown-unknown',
  ],
  [
    /^\w+ (wbg\.|__wbindgen|\.\/.*_bg\.js\.)/,
    'wasm-bindgen puts it there: build a plain cdylib for wasm32-unknown-unknown',
  ],
  [/^memory /, 'a program brings its own memory and exports it: build without importing one'],
];

const always =
  'a program gets its input by the ABI and nothing else: define in it what it needs, or do without';

/**
 * Reads the first entry of an import section: what it is, and what to do about it. Null for a
 * section without entries. The section is left wherever that ends.
 * @throws {@link ProgramError} when there is an entry that cannot be read.
 */
export function firstImport(section: Reader): string | null {
  const count = section.u32();
  if (count === 0) return null;
  const [module, name] = [section.name(), section.name()];
  const kind = importKinds[section.byte()] ?? 'unknown entry';
  // Long enough for what is looked for, so that a long name takes no time.
  const key = `${kind} ${module.slice(0, 64)}.${name.slice(0, 64)}`;
  const remedy = remedies.find(([known]) => known.test(key))?.[1] ?? always;
  const more = count > 1 ? ` and ${count - 1} more` : '';
  return `it imports the ${kind} ${shownName(module)}.${shownName(name)}${more}; ${remedy}`;
}
