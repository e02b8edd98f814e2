/** Measure a whole word count job against the same program run plainly in one process. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { sameBytes, utf8 } from '../protocol/brand.ts';
import { hash } from '../protocol/crypto/hash.ts';
import { stream } from '../protocol/crypto/stream.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { finishJob, putJob } from './job.ts';
import { growthRow, paired, processor, spread, type Taken, take, wall } from './measure.ts';
import { type MeasuredNetwork, startMeasured } from './network.ts';
import { plainProgram } from './plain.ts';

const seats = 4;
const megabyte = 1_000_000;
const sizesMb = [8, 32];
const wordCount = 20_000;

type Whole = {
  readonly result: Uint8Array;
  readonly perLane: number;
  readonly prepareMs: number;
  readonly settledMs: number;
  readonly finishMs: number;
};

async function run(effort: Effort): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'anwansi-bench-'));
  const network = await startMeasured({ seats });
  try {
    const rows: Row[] = [];
    const costs: [number, number][] = [];
    for (const size of sizesMb) {
      const inputPath = join(folder, `${size}.txt`);
      await writeFile(inputPath, words(size * megabyte));
      const plain: Taken<Uint8Array>[] = [];
      const whole: Taken<Whole>[] = [];
      const runs = effort.runs(3);
      for (let run = 0; run <= runs; run++) {
        const alone = await take(() => countPlainly(inputPath));
        const job = await take(() => countAsJob(network, inputPath));
        if (!sameBytes(alone.value, job.value.result)) throw new Error('the results differ');
        if (run === 0) continue; // The first one warms up.
        plain.push(alone);
        whole.push(job);
      }
      rows.push(...rowsOf(size, plain, whole));
      costs.push([size, spread(wall(whole)).median]);
    }
    rows.push(growthRow('time of the job, as the input grows', costs));
    return rows;
  } finally {
    await network.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function rowsOf(
  size: number,
  plain: readonly Taken<Uint8Array>[],
  whole: readonly Taken<Whole>[],
): readonly Row[] {
  const { perLane } = whole[0]!.value;
  const rate = (taken: readonly Taken<unknown>[]): number[] =>
    wall(taken).map((ms) => size / (ms / 1_000));
  // Every item is executed l times, on all processors of this one machine.
  const processors = availableParallelism();
  const limit = rate(plain).map((mbs) => (mbs * processors) / perLane);
  const parts = (pick: (whole: Whole) => number): number =>
    Math.round(spread(whole.map(({ value }) => pick(value))).median);
  return [
    {
      ...paired(`${size} MB: whole job`, 'MB/s', rate(whole), {
        name: 'plain, one process',
        values: rate(plain),
      }),
      cpuMs: spread(processor(whole)),
      note: `prepare ${parts((one) => one.prepareMs)}, settle ${parts((one) => one.settledMs)}, receipt and result ${parts((one) => one.finishMs)} ms`,
    },
    paired(`${size} MB: whole job`, 'MB/s', rate(whole), {
      name: `limit: plain on ${processors} processors, ${perLane} times`,
      values: limit,
    }),
    {
      ...paired(`${size} MB: processor time of the job`, 'ms', processor(whole), {
        name: 'plain',
        values: processor(plain),
      }),
      note: `${perLane} would be the executions alone`,
    },
    {
      ...paired(
        `${size} MB: submit to settled, by that limit`,
        'ms',
        whole.map(({ value }) => value.settledMs),
        {
          name: 'limit',
          values: wall(plain).map((ms) => (ms * perLane) / processors),
        },
      ),
      note: 'without upload, receipt and result',
    },
  ];
}

async function countPlainly(inputPath: string): Promise<Uint8Array> {
  const program = plainProgram('wordcount');
  const items = program.cut(new Uint8Array(await readFile(inputPath)));
  return program.render(items.map(program.map).reduce(program.combine));
}

async function countAsJob(network: MeasuredNetwork, inputPath: string): Promise<Whole> {
  const job = await putJob(network, { program: 'wordcount', inputPath });
  const at = performance.now();
  const { result } = await finishJob(network, job);
  const { prepareMs, settledMs, record } = job;
  const finishMs = performance.now() - at;
  return { result, perLane: record.plan!.perLane, prepareMs, settledMs, finishMs };
}

/** A text of made-up words, few of them often and many of them rarely, the same each time. */
function words(bytes: number): Uint8Array {
  const chance = stream(hash('dev', 'words'));
  const letters = (): string =>
    String.fromCharCode(
      ...Array.from({ length: 2 + chance.below(9) }, () => 97 + chance.below(26)),
    );
  const vocabulary = Array.from({ length: wordCount }, letters);
  const pieces: string[] = [];
  for (let length = 0; length < bytes; ) {
    const line = Array.from(
      { length: 12 },
      () => vocabulary[chance.below(1 + chance.below(wordCount))]!,
    );
    pieces.push(line.join(' '));
    length += pieces.at(-1)!.length + 1;
  }
  return utf8(`${pieces.join('\n')}\n`.slice(0, bytes));
}

export const wordcount: Benchmark = {
  name: 'wordcount',
  question: 'How fast is a whole job, against the same program run once in one process?',
  run,
};
