/** Name the functions in which a call of a program ended, for people and never for seats. */
import { type ModuleOutline, readModule } from '../../protocol/execution/module.ts';
import { Reader } from '../../protocol/execution/reader.ts';

/** What a person may call a function of a program; null for one that the program does not have. */
export type FunctionNames = (index: number) => string | null;

/** For a program whose bytes are not here. */
export const numbered: FunctionNames = (index) => `function ${index}`;

/** Functions of a trap's stack that are told, the innermost first. */
const frameCountMax = 3;
/** Letters of one name. */
const nameLengthMax = 48;
/** What compilers call the function that runs before any other, and what a person reads of it. */
const compiledStart = '~start';
const startName = 'the start function (initial values of globals)';
/** Number of the part of a name section that names functions. */
const functionPart = 1;

/**
 * The names of a program's functions: of its name section, else of its exports, else by number.
 * Bytes are read when the first name is asked for. Never throws.
 * @param bytes - The program as its author built it: a rewritten one has no names.
 */
export function functionNames(bytes: Uint8Array): FunctionNames {
  let known: FunctionNames | null = null;
  return (index) => (known ??= readNames(bytes))(index);
}

function readNames(bytes: Uint8Array): FunctionNames {
  try {
    const outline = readModule(bytes);
    const names = new Map<number, string>();
    for (const { kind, index, name } of outline.exports)
      if (kind === 'function') names.set(index, name.slice(0, nameLengthMax));
    readSection(bytes, outline, names);
    for (const [index, name] of names) if (name === compiledStart) names.set(index, startName);
    // What the rewriter appends lies behind them, and is nobody's.
    const count = outline.functions.length;
    return (index) => (index < count ? (names.get(index) ?? numbered(index)) : null);
  } catch {
    return numbered;
  }
}

/** Names of the name section; as many as can be read of one that is malformed. */
function readSection(bytes: Uint8Array, outline: ModuleOutline, names: Map<number, string>): void {
  const section = outline.customs.find(({ name }) => name === 'name');
  if (section === undefined) return;
  try {
    const reader = new Reader(bytes, section.start, section.end);
    while (!reader.done) {
      const id = reader.byte();
      const part = reader.part(reader.u32());
      if (id !== functionPart) continue;
      for (let left = part.u32(); left > 0 && !part.done; left--) {
        const index = part.u32();
        const name = part.name();
        if (index < outline.functions.length && name !== '')
          names.set(index, name.slice(0, nameLengthMax));
      }
      return;
    }
  } catch {
    // No engine minds a malformed name section; what was read of it stands.
  }
}

/**
 * Where a call ended, as ` in f, called by anw_map`; empty where the engine does not say.
 * @param stack - The stack of the engine's error.
 */
export function trapPlace(stack: string, nameOf: FunctionNames): string {
  const frames = [...stack.matchAll(/wasm-function\[(\d{1,7})\]/g)]
    .map(([, index]) => nameOf(Number(index)))
    .filter((name) => name !== null)
    // A function that calls itself is told once.
    .filter((name, at, all) => name !== all[at - 1])
    .slice(0, frameCountMax);
  return frames.length === 0 ? '' : ` in ${frames.join(', called by ')}`;
}
