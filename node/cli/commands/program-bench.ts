/** Measure a program in the sandbox: fuel, time and memory an item, and what a job needs. */
import { fuelUnit, guardPicosecondsPerFuel } from '../../../protocol/params.ts';
import { itemText } from '../../client/foreseen.ts';
import { formatFuel } from '../../client/fuel.ts';
import type { Bench, Spread } from '../../kit/bench.ts';
import { defineCommand } from '../command.ts';
import { exitCodes } from '../error.ts';
import { foreseenDocument } from '../foreseen-words.ts';
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
      max: 1_048_576,
      default: 16,
    },
    ...fuelOptions,
  },
  run: async (context, { program, input, params, items: itemCount, ...values }) => {
    // Loaded when it is needed: help and explanations come at once.
    const { openGround } = await import('../../kit/ground.ts');
    const { benchProgram } = await import('../../kit/bench.ts');
    const wished = fuelWish(values);
    const ground = await openGround(context, program, params ?? '');
    const options = { inputPath: input ?? null, itemCount, wished };
    const bench = await benchProgram(ground, options);
    // Of an item nothing says more than this very bench.
    const isOfValues = foreseenOf(bench)[0]?.what === 'combine';
    const closer = isOfValues ? { program, input, params } : null;
    const failures = failureLines(bench, ground.program, closer);
    context.output.result(document(bench), [...failures, ...lines(bench)].join('\n'));
    if (bench.benched.some((item) => item.class !== null)) return exitCodes.jobFailed;
    return bench.unrun === null ? estimateExit(bench) : exitCodes.inconclusive;
  },
});

/** Nanoseconds that machines give a unit of fuel before they give up on a call. */
const guardNanoseconds = Number(guardPicosecondsPerFuel) / 1_000;

function lines(bench: Bench): readonly string[] {
  const { items, item, benched, measured, limits, fuel } = bench;
  const line = labelled;
  const units = 'units of fuel';
  const row = <T>(what: string, { least, median, most }: Spread<T>, show: (value: T) => string) => [
    what,
    ...[least, median, most].map(show),
  ];
  const sizes = items.bytes === null ? '' : `, ${items.bytes} bytes`;
  const { combine, render } = measured;
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
    line('items', `${items.count}${sizes}; ${benched.length} of them were run`),
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
    line('limits', `${limitWords(limits)}: what \`run\` would choose`),
    ...failedItems(bench).map((text) => line('failed', text)),
    ...estimateWarnings(bench).map((warning) => line('warning', warning)),
  ];
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

function failedItems({ benched, unrun }: Bench): readonly string[] {
  const failed = benched.filter((item) => item.class !== null);
  const shown = failed
    .slice(0, failedShownMax)
    .map((item) => `${itemText(item)} ${item.class}${item.said === null ? '' : `: ${item.said}`}`);
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
      .map(({ place, ...one }) => ({
        ...one,
        start: place?.start ?? null,
        bytes: place?.bytes ?? null,
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
  };
}
