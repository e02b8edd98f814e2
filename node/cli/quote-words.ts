/** Say what a job that was measured will use and cost, before anything is paid. */
import { fees } from '../../contracts-sim/fees.ts';
import { type Foreseen, foreseenFailures, foreseenSentence, openEnds } from '../client/foreseen.ts';
import { formatFuel, priceOf, usualFee } from '../client/fuel.ts';
import type { Program } from '../client/program.ts';
import type { Estimate } from '../kit/estimate.ts';
import { type ExitCode, exitCodes } from './error.ts';
import {
  closerLine,
  failureHints,
  foreseenDocument,
  measureWarnings,
  type NamedJob,
} from './foreseen-words.ts';
import { limitWords, measuredDocument, rangeText } from './fuel-words.ts';

/** Tokens of a job on one network. */
export type JobPrice = {
  /** What its seats are paid together, about; null for a job that would fail. */
  readonly price: bigint | null;
  /** What is held until it has ended. */
  readonly escrow: bigint;
};

/** The price on a network of so many seats, of which so many execute each item. */
export function jobPrice(estimate: Estimate, seats: number, perLane: number): JobPrice {
  const { items, limits, fuel } = estimate;
  const terms = { items: items.count, fuelItem: limits.item, fee: usualFee, seats };
  return {
    price:
      fuel === null || foreseenOf(estimate).length > 0
        ? null
        : BigInt(perLane) * priceOf(fuel, usualFee),
    escrow: fees.escrow(terms),
  };
}

/** Why the job would fail, what decides first. */
export function foreseenOf({ measured, limits }: Estimate): readonly Foreseen[] {
  return foreseenFailures(measured, limits);
}

/** How a command ends that only asks: as `run` would where the job would fail. */
export function estimateExit(estimate: Estimate): ExitCode {
  if (foreseenOf(estimate).length > 0) return exitCodes.jobFailed;
  return estimate.measured.unrun === null ? exitCodes.done : exitCodes.inconclusive;
}

/** A label and what is told of it, in a line. */
export function labelled(label: string, text: string): string {
  return `${label.padEnd(11)}${text}`;
}

/**
 * That a job would fail, and why; nothing for one that would not.
 * @param closer - To say how to look closer; null where nothing says more.
 * @param isAlone - Whether it is of one item that somebody chose, which `run` may not try.
 */
export function failureLines(
  estimate: Estimate,
  program: Program,
  closer: NamedJob | null,
  isAlone = false,
): readonly string[] {
  const [first, ...others] = foreseenOf(estimate);
  if (first === undefined) return [];
  return [
    labelled('fails', foreseenSentence(first)),
    ...others.map((other) => labelled('fails', foreseenSentence(other))),
    ...failureHints(first, program, isAlone).map((hint) => labelled('', hint)),
    ...(closer === null ? [] : [labelled('', closerLine(first, closer))]),
    labelled(
      '',
      isAlone
        ? 'A job that has this item fails at it.'
        : '`anwansi run` would not submit this job.',
    ),
  ];
}

/** What only this machine, or this look, could not see to its end. */
export function estimateWarnings({ measured, limits }: Estimate): readonly string[] {
  const { unrun } = measured;
  const here =
    unrun === null ? [] : [`this machine could not run it: ${unrun.class}, ${unrun.reason}`];
  return [...openEnds(measured, limits), ...here];
}

/** What was measured, in lines. */
export function jobLines(estimate: Estimate): readonly string[] {
  const { items, measured, limits, fuel } = estimate;
  const sizes = items.bytes === null ? '' : `, ${items.bytes} bytes`;
  const { combine, render } = measured;
  const document = measuredDocument(measured);
  const { least, most } = document;
  const line = labelled;
  const units = 'units of fuel';
  return [
    line('items', `${items.count}${sizes}`),
    ...(least === null || most === null
      ? []
      : [line('an item', `${rangeText(least, most)} ${units}, by ${document.items} of them`)]),
    ...(fuel === null
      ? []
      : [line('all items', `about ${formatFuel(fuel)} ${units} in one execution`)]),
    ...(combine === null || combine.count === 0
      ? []
      : [line('a combine', `${rangeText(combine.least, combine.most)} ${units}`)]),
    ...(render === null || render.class !== null
      ? []
      : [line('rendering', `${formatFuel(render.fuel)} ${units}`)]),
    line('limits', limitWords(limits)),
    ...estimateWarnings(estimate).map((warning) => line('warning', warning)),
  ];
}

/** The same as a document. */
export function measuredJob(estimate: Estimate) {
  const { items, measured, limits, fuel } = estimate;
  return {
    items: items.count,
    bytes: items.bytes,
    fuel,
    measured: measuredDocument(measured),
    limits,
    failures: foreseenOf(estimate).map(foreseenDocument),
    warnings: measureWarnings(measured, limits),
  };
}
