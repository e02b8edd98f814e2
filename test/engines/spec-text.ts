/** Write the specification's tests as text again, where they were turned into JavaScript. */
import { runInNewContext } from 'node:vm';

/**
 * Debian's `mozjs128` source has most of the suite in `js/src/jit-test/tests/wasm/spec/spec`, each
 * file a JavaScript program of calls such as ``assert_return(() => invoke($0, `f`, [1]), [...])``.
 * The texts of the modules are in it as they were. The program is run with functions that write.
 */
export function textOf(program: string): string {
  const lines: string[] = [];
  /** The function that was asked for last, as the last module declares it. */
  const last = { module: '', declared: '' };
  const assertion = (name: string) => (run: () => unknown, expected: unknown) => {
    // What instantiates inside an assertion writes no line of its own.
    const [before, { module }] = [lines.length, last];
    const what = name === 'assert_malformed' ? asQuoted(run()) : String(run());
    lines.length = before;
    if (name !== 'assert_return') last.module = module;
    const wanted =
      name === 'assert_return' ? results(expected, last.declared) : ` ${quoted(String(expected))}`;
    lines.push(`(${name} ${what}${wanted})`);
  };
  const instance = { current: true };
  const on = (from: unknown): string => (typeof from === 'string' ? ` $${single(from)}` : '');
  const context: Record<string, unknown> = {
    instantiate: (text: string) => {
      last.module = single(text).replace(/(table\.(?:get|set|size|grow|fill))(?=\s*[()])/g, '$1 0');
      lines.push(moduleText(last.module));
      return new Written(last.module);
    },
    register: (from: unknown, name: string) => {
      lines.push(`(register ${quoted(single(name))}${on(from)})`);
    },
    invoke: (from: unknown, name: string, given: unknown[]) => {
      last.declared = last.module.split(`"${single(name)}"`)[1] ?? '';
      const values = given.map((value) => ` ${argument(value, last.declared)}`).join('');
      const line = `(invoke${on(from)} ${quoted(single(name))}${values})`;
      return new Written(line);
    },
    get: (from: unknown, name: string) => new Written(`(get${on(from)} ${quoted(single(name))})`),
    bytes: (type: string, bytes: number[]) => new Written(bits(type, Uint8Array.from(bytes))),
    value: (type: string, value: unknown) => new Written(constant(type, value)),
    wasmMultiMemoryEnabled: () => true,
    externref: (value: number) => new Written(`(ref.extern ${value})`),
    F32x4Pattern: lanes('f32x4'),
    F64x2Pattern: lanes('f64x2'),
    ExternRefResult: class {
      constructor(value: number) {
        Object.assign(this, new Written(`(ref.extern ${value})`));
      }
    },
    RefWithType: class {
      constructor(type: string) {
        Object.assign(this, new Written(type === 'funcref' ? '(ref.func)' : '(ref.extern)'));
      }
    },
  };
  for (const shape of ['i8x16', 'i16x8', 'i32x4', 'i64x2', 'f32x4', 'f64x2'])
    context[shape] = (values: (number | bigint)[]) =>
      new Written(`(v128.const ${shape} ${values.map(number).join(' ')})`);
  for (const kind of ['return', 'trap', 'exhaustion', 'invalid', 'malformed', 'unlinkable'])
    context[`assert_${kind}`] = assertion(`assert_${kind}`);
  // A call that stands alone is a statement: it is the last thing that `invoke` was asked for.
  const statements = program.replace(/^invoke\(/gm, 'alone(invoke)(');
  context.alone =
    (invoke: (...given: unknown[]) => unknown) =>
    (...given: unknown[]) =>
      lines.push(String(invoke(...given)));
  const named = statements
    .replace(/^let \$\d+ = /gm, '')
    .replace(/\b(invoke\)?|register|get)\(\$\d+(?=,)/g, '$1(current');
  runInNewContext(named, { ...context, current: instance });
  return `${lines.join('\n')}\n`;
}

/** A piece of text that was written, told apart from names and numbers. */
class Written {
  readonly written: string;

  constructor(written: string) {
    this.written = written;
  }

  toString(): string {
    return this.written;
  }
}

const single = (text: string): string => text.replaceAll('$$', '$');

function moduleText(text: string): string {
  return /^\(module\b/.test(text) ? text : `(module ${text})`;
}

/** What is malformed as text would not be read even where it is expected to be malformed. */
function asQuoted(text: unknown): string {
  return /^\(module\s+binary\b/.test(String(text))
    ? String(text)
    : `(module quote ${quoted(String(text))})`;
}

function quoted(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  return `"${bytes.map((byte) => (byte < 32 || byte > 126 || byte === 34 || byte === 92 ? `\\${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte))).join('')}"`;
}

function number(value: unknown): string {
  if (typeof value !== 'number') return String(value);
  if (Number.isNaN(value)) return 'nan';
  if (Object.is(value, -0)) return '-0';
  return String(value).replace('Infinity', 'inf');
}

function constant(type: string, value: unknown): string {
  if (value === null) return `(ref.null ${type === 'externref' ? 'extern' : 'func'})`;
  return `(${type}.const ${number(type === 'f32' ? Math.fround(value as number) : value)})`;
}

/** A constant of these bytes: floats among them are NaNs, or too small to be written shortly. */
function bits(type: string, bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer);
  if (type === 'v128') {
    const words = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
    return `(v128.const i32x4 ${words.join(' ')})`;
  }
  const wide = type === 'f64';
  const value = wide ? view.getFloat64(0, true) : view.getFloat32(0, true);
  if (!Number.isNaN(value)) return constant(type, value);
  const all = wide ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  const sign = all >> (wide ? 63n : 31n) === 1n ? '-' : '';
  const payload = all & ((1n << (wide ? 52n : 23n)) - 1n);
  return `(${type}.const ${sign}nan:0x${payload.toString(16)})`;
}

function argument(value: unknown, declared: string): string {
  if (value === null) return `(ref.null ${/\b(func|extern)ref/.exec(declared)?.[1]})`;
  if (typeof value === 'bigint') return `(i64.const ${value})`;
  if (typeof value === 'number') return `(i32.const ${value})`;
  return written(value);
}

const written = (value: unknown): string => (value as Written).written;

/** A lane of a pattern: `canonical_nan`, or a constant of which only the value is kept. */
function lane(value: unknown): string {
  if (typeof value === 'string')
    return value === 'canonical_nan' ? 'nan:canonical' : 'nan:arithmetic';
  return /const (.*)\)$/.exec(written(value))![1]!;
}

const lanes = (shape: string) =>
  class {
    constructor(...values: unknown[]) {
      Object.assign(this, new Written(`(v128.const ${shape} ${values.map(lane).join(' ')})`));
    }
  };

/** What a call has to give; of which type a NaN is only the function says. */
function results(expected: unknown, declared: string): string {
  const type = /\(result (f32|f64)\b/.exec(declared)?.[1];
  return (expected as unknown[])
    .map(
      (value) =>
        ` ${typeof value === 'string' ? `(${type}.const ${lane(value)})` : written(value)}`,
    )
    .join('');
}
