/** Cross-check engines: the same bytes, fuel, outcomes and memory wherever a program runs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { differences, runCount } from './differences.ts';
import { type Observed, observeAll } from './observe.ts';
import { runSuite } from './spec-run.ts';
import { askWabt, installWabt } from './wabt.ts';

const { values: options } = parseArgs({
  options: {
    suite: { type: 'string', multiple: true },
    'without-wabt': { type: 'boolean', default: false },
    fuzz: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
});

const scratch = mkdtempSync(join(tmpdir(), 'anwansi-engines-'));
const score = { passed: 0, failed: 0 };
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A row of the table: what was tried, how many held, and the first things that did not. */
function row(what: string, passed: number, faults: readonly string[], startMs: number): void {
  score.passed += passed;
  score.failed += faults.length;
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const verdict = faults.length === 0 ? 'same' : `${faults.length} DIFFER`;
  console.log(
    `${what.padEnd(44)} ${String(passed).padStart(8)} ${verdict.padEnd(12)} ${seconds} s`,
  );
  for (const fault of faults.slice(0, 10)) console.log(`    ${fault}`);
}

/** Node 22 from npm, into a folder that goes when we do; null where npm has none for this machine. */
function bringNode22(): string | null {
  const name = `node-${process.platform}-${process.arch}`;
  const words = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--silent'];
  const { status } = spawnSync('npm', [...words, '--prefix', scratch, `${name}@22`], {
    timeout: 300_000,
  });
  return status === 0 ? join(scratch, 'node_modules', name, 'bin', 'node') : null;
}

function run(node: string, words: readonly string[]): { out: string; fault: string | null } {
  const always = ['--no-warnings', '--stack-size=3900'];
  const { stdout, stderr, status, error } = spawnSync(node, [...always, ...words], {
    ...{ encoding: 'utf8', maxBuffer: 2 ** 28, timeout: 3_600_000 },
  });
  if (status === 0) return { out: stdout, fault: null };
  return { out: stdout, fault: error?.message ?? stderr.trim().slice(-400) };
}

/** Every case on one engine, compared with what this process observed. */
function onEngine(name: string, node: string, flags: readonly string[], base: Observed[]): void {
  const start = performance.now();
  const { out, fault } = run(node, [...flags, here('./observe.ts'), '--print']);
  if (fault !== null) {
    row(name, 0, [fault], start);
    return;
  }
  const found = JSON.parse(out) as Observed[];
  const faults = differences(base, found);
  row(name, runCount(found) - faults.length, faults, start);
}

function onEngines(base: Observed[]): void {
  const tiers = [[], ['--liftoff-only'], ['--no-liftoff']];
  const node22 = bringNode22();
  if (node22 === null) row('Node 22', 0, ['npm brought no Node 22 for this machine'], 0);
  const nodes = [process.execPath, ...(node22 === null ? [] : [node22])];
  for (const node of nodes) {
    const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
    for (const flags of tiers)
      onEngine(`Node ${version} ${flags[0] ?? 'as it is'}`, node, flags, base);
  }
}

function onWabt(cases: ReturnType<typeof observeAll>['cases'], base: readonly Observed[]): void {
  if (options['without-wabt']) {
    console.log('wabt: left out');
    return;
  }
  const start = performance.now();
  const missing = installWabt();
  if (missing !== null) {
    row('wabt', 0, [missing], start);
    return;
  }
  let [agreed, tooDeep] = [0, 0];
  const faults: string[] = [];
  cases.forEach((one, at) => {
    const answer = askWabt(join(scratch, 'wabt'), one, base[at]!);
    agreed += answer.agreed;
    tooDeep += answer.tooDeep;
    faults.push(...answer.differences);
  });
  row('wabt, an interpreter', agreed, faults, start);
  console.log(`    left out: ${tooDeep} runs that are deeper than its own stack`);
  // A result that is bent must not pass.
  const [first, observed] = [cases[0]!, base[0]!];
  const fuel = `${BigInt(observed.runs[0]!.fuel) + 1n}`;
  const bent = { ...observed, runs: [{ ...observed.runs[0]!, fuel }] };
  const noticed = askWabt(join(scratch, 'wabt'), first, bent).differences.length > 0;
  row('wabt notices a unit of fuel', noticed ? 1 : 0, noticed ? [] : ['it does not'], start);
}

function twin(base: readonly Observed[]): void {
  const bend = (change: (one: Observed) => Observed): boolean =>
    differences(
      base,
      base.map((one, at) => (at === 3 ? change(one) : one)),
    ).length > 0;
  const runs = (one: Observed, key: string, value: string): Observed => ({
    ...one,
    runs: one.runs.map((seen, at) => (at === 1 ? { ...seen, [key]: value } : seen)),
  });
  const noticed = [
    ...['outcome', 'fuel', 'value', 'sha256'].map((key) => bend((one) => runs(one, key, 'bent'))),
    bend((one) => ({ ...one, sha256: 'bent' })),
    bend((one) => ({ ...one, runs: one.runs.slice(1) })),
  ].filter(Boolean).length;
  row(
    'a bent result is noticed',
    noticed,
    noticed === 6 ? [] : ['some are not'],
    performance.now(),
  );
}

function fuzz(): void {
  const start = performance.now();
  const { out, fault } = run(process.execPath, [here('./fuzz.ts'), options.fuzz, options.seed]);
  const lines = out.trim().split('\n');
  for (const line of lines.slice(0, -1)) console.log(`    ${line}`);
  const last = /^(\d+) mutants/.exec(lines.at(-1) ?? '');
  row(`${lines.at(-1)}`, Number(last?.[1] ?? 0), fault === null ? [] : [fault], start);
}

function suite(folder: string): void {
  const start = performance.now();
  const { table, passed, faults } = runSuite(folder, join(scratch, 'suite'), (words) =>
    run(process.execPath, words),
  );
  for (const line of table) console.log(`    ${line}`);
  row(`the specification's suite`, passed, faults, start);
}

try {
  if (options.suite !== undefined) for (const folder of options.suite) suite(folder);
  else {
    const start = performance.now();
    const { cases, all } = observeAll();
    row(`${all.length} cases, in this process`, runCount(all), [], start);
    twin(all);
    onEngines(all);
    onWabt(cases, all);
    if (options.fuzz !== '0') fuzz();
  }
} finally {
  rmSync(scratch, { recursive: true });
}
console.log(`${score.passed} passed, ${score.failed} failed`);
process.exitCode = score.failed === 0 && score.passed > 0 ? 0 : 1;
