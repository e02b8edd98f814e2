/** Read a TOML file of settings, and refuse what it does not know. */
import { parse, TomlError } from 'smol-toml';
import { nearestWord } from '../nearest.ts';
import { OperatorError } from './error.ts';
import { readBounded } from './files.ts';

const fileBytesMax = 256 * 1024;
const depthMax = 16;

/** A file's tables, before anything is known of them. */
export type Tables = Readonly<Record<string, unknown>>;

/** Reads a file; null if there is none. @throws OperatorError `CONFIG_UNREADABLE`, `CONFIG_SYNTAX` */
export async function readToml(file: string): Promise<Tables | null> {
  const bytes = await readBounded(file, fileBytesMax);
  if (bytes === null) return null;
  const unreadable = (reason: string): never => {
    throw new OperatorError({ code: 'CONFIG_UNREADABLE', file, reason });
  };
  if (bytes === 'too-long') return unreadable(`it has more than ${fileBytesMax} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return unreadable('it is not UTF-8');
  }
  return parseToml(text, file);
}

/** Reads text. @throws OperatorError `CONFIG_SYNTAX` */
export function parseToml(text: string, file: string): Tables {
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw', maxDepth: depthMax });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const { line, column } = cause;
    // The library shows the place in further lines.
    const reason = cause.message.split('\n')[0]!.replace('Invalid TOML document: ', '');
    throw new OperatorError({ code: 'CONFIG_SYNTAX', file, line, column, reason }, cause);
  }
}

/**
 * The values of a file by the paths of their keys (`api.port`), all of them among `known`.
 * @throws OperatorError `CONFIG_UNKNOWN_KEY`
 */
export function knownValues(
  tables: Tables,
  known: readonly string[],
  file: string,
): ReadonlyMap<string, unknown> {
  const sections = new Set(known.flatMap((key) => (key.includes('.') ? [key.split('.')[0]!] : [])));
  const values = new Map<string, unknown>();
  const refuse = (key: string): never => {
    const bare = known.find((one) => one.split('.').at(-1) === key.split('.').at(-1));
    const meant = nearestWord(key, known) ?? bare ?? nearestWord(key, [...sections]);
    throw new OperatorError({ code: 'CONFIG_UNKNOWN_KEY', file, key, meant });
  };
  for (const [name, value] of Object.entries(tables)) {
    if (!sections.has(name)) {
      if (!known.includes(name)) refuse(name);
      values.set(name, value);
    } else if (isTable(value)) {
      for (const [key, inner] of Object.entries(value)) {
        const path = `${name}.${key}`;
        if (!known.includes(path)) refuse(path);
        values.set(path, inner);
      }
    } else {
      const reason = `it is a table of settings: write [${name}] above them`;
      throw new OperatorError({ code: 'CONFIG_VALUE', key: name, origin: file, reason });
    }
  }
  return values;
}

function isTable(value: unknown): value is Tables {
  return Object.prototype.toString.call(value) === '[object Object]';
}
