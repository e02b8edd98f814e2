/** Run the benchmarks that are named, or all; print their rows, and keep them if asked. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Benchmark, fullEffort, quickEffort, type Row } from './benchmark.ts';
import { describeMachine, load, type Machine, watchOthers } from './machine.ts';
import { formatTable } from './table.ts';

/** Loaded one by one: what one benchmark needs is not in memory while another one runs. */
const benchmarks: Readonly<Record<string, () => Promise<Benchmark>>> = {
  finality: async () => (await import('./finality.ts')).finality,
  share: async () => (await import('./share.ts')).share,
  traffic: async () => (await import('./traffic.ts')).traffic,
  receipt: async () => (await import('./receipts.ts')).receipts,
  wordcount: async () => (await import('./wordcount.ts')).wordcount,
  accept: async () => (await import('./accept.ts')).accept,
  state: async () => (await import('./state.ts')).state,
  blocks: async () => (await import('./blocks.ts')).blocks,
  executor: async () => (await import('./executor.ts')).executor,
  metering: async () => (await import('./metering.ts')).metering,
  hostile: async () => (await import('./hostile.ts')).hostile,
  processes: async () => (await import('./processes.ts')).processes,
  restart: async () => (await import('./restart.ts')).restart,
};

/** What a run leaves behind. */
type Report = {
  readonly schema: 'anwansi/bench/1';
  readonly startedAt: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly seconds: number;
  readonly results: readonly Result[];
};

type Result = {
  readonly name: string;
  readonly question: string;
  readonly seconds: number;
  /** Processors that others used meanwhile: our own work is not among them. */
  readonly others: number;
  readonly rows: readonly Row[];
};

const readme = fileURLToPath(new URL('README.md', import.meta.url));
const figuresBegin = '<!-- figures: written by `npm run bench -- --readme` -->';
const figuresEnd = '<!-- end of figures -->';

const usage = `Usage: npm run bench -- [NAME...] [--quick] [--json FILE] [--readme]

  NAME         ${Object.keys(benchmarks).join(', ')}; all unless given.

  --quick      Two repetitions of everything: to see that it runs.
  --json FILE  Keep the figures.
  --readme     Write the figures into bench/README.md.`;

function chosen(names: readonly string[]): readonly string[] {
  const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
  if (unknown.length > 0)
    throw new Error(`there is no benchmark ${unknown.join(', ')}\n\n${usage}`);
  return Object.keys(benchmarks).filter((name) => names.length === 0 || names.includes(name));
}

async function runAll(names: readonly string[], quick: boolean): Promise<Report> {
  const startedAt = new Date().toISOString();
  const at = performance.now();
  const loadBefore = load();
  const machine = describeMachine();
  console.log(machineLine(machine));
  if (loadBefore > 1)
    console.log(`The load is ${loadBefore.toFixed(2)}: somebody else is busy here.`);
  const results: Result[] = [];
  for (const name of chosen(names)) {
    try {
      const result = await runOne(await benchmarks[name]!(), quick);
      console.log(`\n${resultText(result)}`);
      results.push(result);
    } catch (error) {
      // The others can still be told.
      console.error(`\n${name} failed:`, error);
      process.exitCode = 1;
    }
  }
  return {
    schema: 'anwansi/bench/1',
    startedAt,
    quick,
    machine,
    loadBefore,
    loadAfter: load(),
    seconds: seconds(at),
    results,
  };
}

async function runOne({ name, question, run }: Benchmark, quick: boolean): Promise<Result> {
  const at = performance.now();
  const others = watchOthers();
  const rows = await run(quick ? quickEffort : fullEffort);
  return { name, question, seconds: seconds(at), others: Number(others().toFixed(2)), rows };
}

function seconds(at: number): number {
  return Number(((performance.now() - at) / 1_000).toFixed(1));
}

function machineLine({ processors, model, memoryGiB, system, node, commit }: Machine): string {
  return `${processors} processors (${model}), ${memoryGiB} GiB, ${system}, Node ${node}, commit ${commit}`;
}

function resultText({ name, question, seconds: took, others, rows }: Result): string {
  const busy = others > 0.2 ? ` (busy: ratios are worth more than figures)` : '';
  const state = `${took} s; others used ${others} processors meanwhile${busy}.`;
  return `### ${name}\n\n${question} ${state}\n\n${formatTable(rows)}`;
}

function reportText(report: Report): string {
  const { machine, startedAt, quick, loadBefore, loadAfter } = report;
  const day = startedAt.slice(0, 16).replace('T', ' ');
  const parts = [
    `Taken ${day} UTC in ${report.seconds} s${quick ? ', in a quick run' : ''}. Load ${loadBefore.toFixed(2)} before and ${loadAfter.toFixed(2)} after, our own work included.`,
    machineLine(machine),
    ...report.results.map(resultText),
  ];
  return parts.join('\n\n');
}

function writeReadme(report: Report): void {
  const text = readFileSync(readme, 'utf8');
  const [head, rest] = text.split(figuresBegin);
  const tail = rest?.split(figuresEnd)[1];
  if (head === undefined || tail === undefined)
    throw new Error('README.md has no place for figures');
  writeFileSync(
    readme,
    [head, figuresBegin, '\n\n', reportText(report), '\n\n', figuresEnd, tail].join(''),
  );
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    readme: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(usage);
else {
  const report = await runAll(positionals, values.quick);
  console.log(`\n${report.seconds} s in all; load ${report.loadAfter.toFixed(2)} at the end.`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  if (values.readme) writeReadme(report);
}
