/** Bring a folder of the suite's texts into a form that can be run, and add up what came out. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSpecFile, type SuiteFigures } from './spec-suite.ts';
import { textOf } from './spec-text.ts';
import { installWabt } from './wabt.ts';

type FileFigures = { readonly plain: SuiteFigures; readonly rewritten: SuiteFigures };
export type SuiteResult = {
  readonly table: readonly string[];
  readonly passed: number;
  readonly faults: readonly string[];
};

/** What the rewriter may change: a memory that is imported grows no further than it can. */
const allowed = /: assert_return: it ended with host-oom$/;

/**
 * Runs the `.wast` files of a folder, and `.wast.js` files that are made into such ones first.
 * A text that Debian's `wast2json` cannot read is named in the table and left out.
 */
export function runSuite(
  folder: string,
  scratch: string,
  run: (words: readonly string[]) => { readonly out: string; readonly fault: string | null },
): SuiteResult {
  const missing = installWabt();
  if (missing !== null) return { table: [], passed: 0, faults: [missing] };
  mkdirSync(scratch, { recursive: true });
  const files = readdirSync(folder).filter((name) => /\.wast(\.js)?$/.test(name));
  const unread: string[] = [];
  const names = files.flatMap((file) => {
    const name = file.replace(/\.wast(\.js)?$/, '');
    const text = readFileSync(join(folder, file), 'utf8');
    const path = join(scratch, `${name}.wast`);
    writeFileSync(path, file.endsWith('.js') ? textOf(text) : text);
    const words = [path, '-o', join(scratch, `${name}.json`)];
    if (spawnSync('wast2json', words, { stdio: 'ignore' }).status === 0) return [name];
    unread.push(file);
    return [];
  });
  const { out, fault } = run([fileURLToPath(import.meta.url), '--run', scratch, names.join()]);
  if (fault !== null) return { table: [], passed: 0, faults: [fault] };
  return sum(JSON.parse(out) as FileFigures[], unread);
}

function sum(files: readonly FileFigures[], unread: readonly string[]): SuiteResult {
  const add = (of: (one: FileFigures) => number): number =>
    files.reduce((all, it) => all + of(it), 0);
  const plain = files.flatMap((it) => it.plain.deviations);
  const known = new Set(plain);
  const rewritten = files.flatMap((it) => it.rewritten.deviations).filter((it) => !known.has(it));
  const faults = rewritten.filter((it) => !allowed.test(it));
  const { returns, traps, exhaustions, modules, refused } = {
    ...{ returns: add((it) => it.rewritten.returns), traps: add((it) => it.rewritten.traps) },
    ...{
      exhaustions: add((it) => it.rewritten.exhaustions),
      modules: add((it) => it.rewritten.modules),
    },
    refused: add((it) => it.rewritten.refused),
  };
  const { canonical, negative, other } = {
    canonical: add((it) => it.rewritten.nans.canonical),
    negative: add((it) => it.rewritten.nans.negative),
    other: add((it) => it.rewritten.nans.other),
  };
  const table = [
    `${files.length} files, ${modules} modules; ${unread.length} files that wast2json cannot read`,
    ...(unread.length > 0 ? [`not read: ${unread.join(' ')}`] : []),
    `rewritten: ${returns} returns, ${traps} traps, ${exhaustions} exhaustions, ${refused} refused`,
    `NaNs asked for: ${canonical} canonical, ${negative} negative, ${other} others`,
    `fail as they are, before any rewriting: ${plain.length}`,
    `deviations: ${rewritten.length}, of which ${rewritten.length - faults.length} are imported memories that grow`,
    ...rewritten.slice(0, 20).map((it) => `  ${it}`),
  ];
  const passed = returns + traps + exhaustions + refused - rewritten.length - plain.length;
  return {
    table,
    passed,
    faults: [...faults, ...(files.length === 0 ? ['no file was read'] : [])],
  };
}

if (process.argv[2] === '--run') {
  const [folder, names] = [process.argv[3]!, process.argv[4]!.split(',')];
  const figures = names.map(
    (name): FileFigures => ({
      plain: runSpecFile(folder, name, false),
      rewritten: runSpecFile(folder, name, true),
    }),
  );
  console.log(JSON.stringify(figures));
}
