/** Measure a program in the sandbox: fuel, time and memory an item, and what a job needs. */
import { fuelUnit, guardPicosecondsPerFuel, itemCountMax } from '../../../protocol/params.ts';
import { itemText, linesText } from '../../client/foreseen.ts';
import { formatFuel } from '../../client/fuel.ts';
import type { Bench, Spread } from '../../kit/bench.ts';
import { type Context, defineCommand } from '../command.ts';
import { exitCodes, usageError } from '../error.ts';
import { foreseenDocument, linesDocument } from '../foreseen-words.ts';
import { fuelOptions, fuelWish } from '../fuel-options.ts';
import { limitWords, measuredDocument, rangeText } from '../fuel-words.ts';
import { table } from '../output.ts';
import { programArgument } from '../program-argument.ts';
import {
  estimateExit,
  estimateWarnings,
  failureLines,
  foreseenOf,
  labelled,
} from '../quote-words.ts';

export const programBench = defineCommand({
  name: 'program bench',
  summary: 'Measure a program in the sandbox that jobs run in: fuel, time, memory, its limits.',
  examples: [
    ['anwansi program bench my.wasm --input data.csv', 'Some items of your own data.'],
    [
      `anwansi program bench primes --params '{"from":0,"to":10000000}' --items 5`,
      'Five items of a program that makes its own.',
    ],
    [
      'anwansi program bench my.wasm --input data.csv --item 7',
      'The one item that a job failed at, alone: why, where it lies, in which function.',
    ],
  ],
  arguments: {
    program: { kind: 'text', describe: programArgument },
  },
  options: {
    input: { kind: 'path', placeholder: 'FILE', describe: 'An input of the kind it will work on.' },
    params: { kind: 'text', placeholder: 'JSON', describe: 'Parameters, passed as they are.' },
    items: {
      kind: 'integer',
      placeholder: 'N',
      describe: 'Items to run, spread evenly over all; 16 unless given.',
      min: 1,
      max: itemCountMax,
    },
    item: {
      kind: 'integer',
      placeholder: 'N',
      describe: 'The only item to run, by its number in the job, counted from 0.',
      min: 0,
      max: itemCountMax - 1,
    },
    ...fuelOptions,
  },
  run: async (context, { program, input, params, items, item, ...values }) => {
    if (items !== undefined && item !== undefined)
      throw usageError(
        '--items and --item: one item is run, or some are',
        'Leave one of them away.',
      );
    // Loaded when it is needed: help and explanations come at once.
    const { openGround } = await import('../../kit/ground.ts');
    const { benchProgram } = await import('../../kit/bench.ts');
    const wished = fuelWish(values);
    const ground = await openGround(context, program, params ?? '');
    const itemCount = items ?? itemCountUsual;
    const options = { inputPath: input ?? null, itemCount, only: item ?? null, wished };
    const progress = showItems(context);
    const bench = await benchProgram(ground, { ...options, told: progress.told }).finally(
      progress.end,
    );
    // Of an item nothing says more than this very bench.
    const isOfValues = foreseenOf(bench)[0]?.what === 'combine';
    const closer = isOfValues ? { program, input, params } : null;
    const failures = failureLines(bench, ground.program, closer, item !== undefined);
    context.output.result(document(bench), [...failures, ...lines(bench)].join('\n'));
    if (bench.benched.some((item) => item.class !== null)) return exitCodes.jobFailed;
    return bench.unrun === null ? estimateExit(bench) : exitCodes.inconclusive;
  },
});

/** Items that are run unless it is told how many. */
const itemCountUsual = 16;

/** Milliseconds before something is shown, and between two looks at the clock. */
const tickMs = 500;

/** Shows that items are being run, where that takes longer than a moment. */
function showItems({ output, onExit }: Context) {
  const startedAt = performance.now();
  const progress = output.progress();
  let items = { done: 0, total: 0 };
  const show = (): void =>
    progress.show({
      state: 'measuring',
      elapsedMs: performance.now() - startedAt,
      items,
      ...{ lanes: [], subtasks: { done: 0, total: 0 }, bound: null, guess: null, awaited: null },
    });
  const timer = setInterval(show, tickMs).unref();
  const end = (): void => {
    clearInterval(timer);
    progress.end();
  };
  onExit(end);
  const told = (done: number, total: number): void => {
    items = { done, total };
  };
  return { told, end };
}

/** Nanoseconds that machines give a unit of fuel before they give up on a call. */
const guardNanoseconds = Number(guardPicosecondsPerFuel) / 1_000;

function lines(bench: Bench): readonly string[] {
  const { items, item, measured, limits, fuel } = bench;
  const line = labelled;
  const units = 'units of fuel';
  const row = <T>(what: string, { least, median, most }: Spread<T>, show: (value: T) => string) => [
    what,
    ...[least, median, most].map(show),
  ];
  const sizes = items.bytes === null ? '' : `, ${items.bytes} bytes`;
  const { combine, render } = measured;
  const chosenBy = items.only === undefined ? '' : ' by this item';
  const spreads =
    item === null
      ? []
      : [
          table([
            ['an item', 'least', 'median', 'most'],
            row('units of fuel', item.fuel, formatFuel),
            row('time', item.ms, milliseconds),
            row('memory', item.memoryBytes, (bytes) => `${(bytes / 1024 / 1024).toFixed(2)} MiB`),
          ]),
          '',
        ];
  return [
    ...spreads,
    line('items', `${items.count}${sizes}; ${ranText(bench)}`),
    ...(fuel === null
      ? []
      : [line('all items', `about ${formatFuel(fuel)} ${units} in one execution`)]),
    ...(combine === null || combine.count === 0
      ? []
      : [
          line(
            'a combine',
            `${rangeText(combine.least, combine.most)} ${units}, by ${combine.count} of them`,
          ),
        ]),
    ...(render === null || render.class !== null
      ? []
      : [line('rendering', `${formatFuel(render.fuel)} ${units}`)]),
    ...speedLines(bench).map(([label, text]) => line(label, text)),
    line('limits', `${limitWords(limits)}: what \`run\` would choose${chosenBy}`),
    ...failedItems(bench).map((text) => line('failed', text)),
    ...estimateWarnings(bench).map((warning) => line('warning', warning)),
    ...stoppedLines(bench),
  ];
}

function ranText({ items: { only }, benched }: Bench): string {
  return only === undefined || benched.length === 0
    ? `${benched.length} of them were run`
    : `item ${only.join(', ')} alone was run`;
}

function speedLines(bench: Bench): readonly (readonly [string, string])[] {
  const { nanosecondsPerFuel: each, itemsPerSecond, bytesPerSecond } = bench;
  if (each === null || itemsPerSecond === null) return [];
  const share = guardNanoseconds / each;
  const bytes = bytesPerSecond === null ? '' : `, ${(bytesPerSecond / 1e6).toFixed(1)} MB`;
  return [
    [
      'a unit',
      `${each.toFixed(3)} ns; ${guardNanoseconds} ns are allowed at worst, ${share.toFixed(0)} times as much`,
    ],
    ['a second', `${itemsPerSecond.toFixed(1)} items${bytes} in one sandbox`],
  ];
}

function stoppedLines({ stoppedMs }: Bench): readonly string[] {
  if (stoppedMs === null) return [];
  const seconds = `broken off after ${stoppedMs / 1_000} seconds`;
  return [labelled('warning', `${seconds}: what is told is of the items that were run until then`)];
}

function failedItems(bench: Bench): readonly string[] {
  const { benched, unrun } = bench;
  const [told] = foreseenOf(bench);
  // What is foreseen stands in the first line, with all that is known of it.
  const isTold = (index: number): boolean => told?.what === 'item' && told.item === index;
  const failed = benched.filter((item) => item.class !== null && !isTold(item.index));
  const shown = failed.slice(0, failedShownMax).map((item) => {
    const said = item.said === null ? '' : `: ${item.said}`;
    return `${itemText(item)} ${item.class}${said}${linesText(item.lines)}`;
  });
  const left = failed.length - failedShownMax;
  const more = left > 0 ? [`${left} more of the ${benched.length} items that were run`] : [];
  return [...shown, ...more, ...(unrun === null ? [] : [`the rest: ${unrun}`])];
}

/** Items that failed and are told each. */
const failedShownMax = 3;

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(3) : ms.toFixed(0)} ms`;
}

function document(bench: Bench) {
  const { items, item, benched, measured, limits, fuel, unrun } = bench;
  return {
    items: items.count,
    bytes: items.bytes,
    run: benched.length,
    failed: benched
      .filter((one) => one.class !== null)
      .map(({ place, lines, bytes: _, ...one }) => ({
        ...one,
        start: place?.start ?? null,
        bytes: place?.bytes ?? null,
        lines: linesDocument(lines),
      })),
    failures: foreseenOf(bench).map(foreseenDocument),
    item,
    fuel,
    fuel_unit: fuelUnit,
    measured: measuredDocument(measured),
    limits,
    nanoseconds_per_fuel: bench.nanosecondsPerFuel,
    nanoseconds_per_fuel_allowed: guardNanoseconds,
    items_per_second: bench.itemsPerSecond,
    bytes_per_second: bench.bytesPerSecond,
    unrun,
    stopped_ms: bench.stoppedMs,
  };
}
