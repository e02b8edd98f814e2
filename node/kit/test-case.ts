/** Run one test of a program: as a network cuts its input, then smaller where that may be. */

import { InputError } from '../../protocol/execution/rejection.ts';
import { ClientError } from '../client/error.ts';
import { linesText, trapHint } from '../client/foreseen.ts';
import { firstFailing } from '../client/measure.ts';
import { checkParameters } from '../client/prepare.ts';
import { shownBytes } from '../laws/origin.ts';
import type { Items } from '../laws/subject.ts';
import { differenceText } from './difference.ts';
import { lineMachine, sizedItems } from './estimate.ts';
import { type Ground, openItems, smallerItems } from './items.ts';
import { type LocalJob, runLocally } from './local-job.ts';
import type { Case } from './project.ts';

/** What a job was tried on. */
export type Tried = {
  readonly items: number;
  /** Different orders; 1 where there is only one. */
  readonly orders: number;
  /** Whether they are smaller than those that a network would cut. */
  readonly smaller: boolean;
};

/** What became of a test. */
export type TestedCase = {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'unrun';
  /** What is wrong, in a line; null where nothing is. */
  readonly fault: string | null;
  readonly tried: readonly Tried[];
  /** What was expected and what came out; null where the fault is another one. */
  readonly differing: Differing | null;
};

/** Two results of which the first was expected. */
export type Differing = {
  readonly expected: Uint8Array;
  readonly found: Uint8Array;
};

type Fault = {
  readonly state: 'failed' | 'unrun';
  readonly fault: string;
  readonly differing: Differing | null;
};

/** Runs a test. What is wrong with it is its own fault, and no other test's. */
export async function testCase(opened: Ground, one: Case, seed: string): Promise<TestedCase> {
  const { name } = one;
  const tried: Tried[] = [];
  const fault = await faultOf(opened, one, seed, tried).catch((error: unknown): Fault => {
    opened.signal.throwIfAborted();
    // Refused by what is in its files, before anything was run.
    if (error instanceof ClientError || error instanceof InputError)
      return failed(caseWords(error, one));
    throw error;
  });
  const passed = { state: 'passed', fault: null, differing: null } as const;
  return { name, ...(fault ?? passed), tried };
}

const failed = (fault: string, differing: Differing | null = null): Fault => ({
  ...{ state: 'failed', fault, differing },
});

/** What an error of a job's input or parameters says of the files of a test. */
function caseWords(error: ClientError | InputError, { name }: Case): string {
  switch (error.code) {
    case 'PARAMETERS_NOT_JSON':
    case 'PARAMETERS_TOO_LONG':
      return error.message.replace('--params', `tests/${name}.json`);
    case 'INPUT_NEEDLESS':
      return `tests/${name}.input is needless: the program makes its items from its parameters`;
    case 'INPUT_EMPTY':
      return `tests/${name}.input is empty: there is nothing to compute`;
    default:
      return error.message;
  }
}

async function faultOf(
  opened: Ground,
  { name, inputPath, parameters, expected }: Case,
  seed: string,
  tried: Tried[],
): Promise<Fault | null> {
  const ground = { ...opened, parameters: checkParameters(parameters) };
  if (expected === null)
    return failed(`tests/${name}.expected is not there: nothing says what has to come out`);
  const items = await openItems(ground, inputPath);
  if (items.count === 0)
    return failed(`tests/${name}.input is not there, and the program works on an input`);
  const job = await runLocally(ground, items, seed);
  if (job.kind !== 'done') return ofJob(job, '', ground, items, inputPath);
  tried.push({ items: job.items, orders: job.orders, smaller: false });
  const { result } = job;
  // A file that a person wrote ends with a line end; a result does not have to.
  const bare = expected.at(-1) === 10 ? expected.subarray(0, -1) : expected;
  if (![expected, bare].some((bytes) => Buffer.compare(bytes, result) === 0))
    return failed(differenceText(result.at(-1) === 10 ? expected : bare, result), {
      expected,
      found: result,
    });
  const smaller = await smallerItems(ground, items);
  if (smaller === null) return null;
  return againSmaller(ground, smaller, inputPath, result, seed, tried);
}

/** The same lines, cut at more of their ends: with other text before them, any could be a cut. */
async function againSmaller(
  ground: Ground,
  smaller: Items,
  inputPath: string | null,
  result: Uint8Array,
  seed: string,
  tried: Tried[],
): Promise<Fault | null> {
  const job = await runLocally(ground, smaller, seed);
  const of = ` of the ${smaller.count} that its input makes, cut smaller,`;
  if (job.kind !== 'done') return ofJob(job, of, ground, smaller, inputPath);
  tried.push({ items: job.items, orders: job.orders, smaller: true });
  if (Buffer.compare(job.result, result) === 0) return null;
  const rule = 'what comes out may not depend on the line end at which an input is cut';
  const differing = { expected: result, found: job.result };
  const [one, other] = [result, job.result].map((bytes) => shownBytes(bytes));
  const lines = `the same lines in ${smaller.count} items`;
  return one !== other
    ? failed(`${one} from one item, but ${other} from ${lines}: ${rule}`, differing)
    : failed(
        `another result from ${lines} than from one item, which is what is expected of them; ` +
          `${differenceText(result, job.result)}: ${rule}`,
        differing,
      );
}

async function ofJob(
  job: Exclude<LocalJob, { readonly kind: 'done' }>,
  of: string,
  ground: Ground,
  items: Items,
  inputPath: string | null,
): Promise<Fault> {
  switch (job.kind) {
    case 'failed': {
      const why = await culprit(job, ground, items, inputPath);
      const hint = trapHint(job.reason);
      const may = hint === null ? '' : `. ${hint}`;
      return failed(`${job.where}${of} failed: ${job.reason}${why}${may}`);
    }
    case 'unrun': {
      const fault = `${job.where}${of} could not be run here: ${job.reason}`;
      return { state: 'unrun', fault, differing: null };
    }
    case 'disordered':
      return failed(
        `${job.where}${of} came to different bytes in another order; see: anwansi program check`,
      );
  }
}

/** Which of some items it was, and which lines of that one; empty where nothing more is known. */
async function culprit(
  { items: range }: Extract<LocalJob, { readonly kind: 'failed' }>,
  ground: Ground,
  items: Items,
  inputPath: string | null,
): Promise<string> {
  if (range === null) return '';
  const { first, end } = range;
  const indices = Array.from({ length: end - first }, (_, place) => first + place);
  const sized = sizedItems(items, inputPath);
  const found = await firstFailing(lineMachine(ground), sized, indices, ground.fuel);
  if (found === null) return '';
  const which = indices.length === 1 ? '' : `; item ${found.index} fails by itself`;
  return `${which}${linesText(found.lines)}`;
}
