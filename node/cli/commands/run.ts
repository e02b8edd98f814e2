/** Run a program as a job on a network of validators, and keep its receipt. */
import { hex } from '../../../protocol/brand.ts';
import {
  type AdversaryWord,
  adversaryDenominators,
  adversaryWords,
} from '../../../protocol/job/job.ts';
import { defaultAdversary } from '../../../protocol/sampling/plan.ts';
import { ClientError } from '../../client/error.ts';
import { usualFee } from '../../client/fuel.ts';
import type { Client } from '../../client/http.ts';
import type { Wish } from '../../client/prepare.ts';
import { loadProgram } from '../../client/program.ts';
import type { Embedded } from '../../embedded.ts';
import { faultNames } from '../../faults.ts';
import { type Command, type Context, defineCommand } from '../command.ts';
import {
  type NodeValues,
  nodeOptions,
  openClient,
  retriesOf,
  shortened,
  toldError,
  usualApi,
} from '../connect.ts';
import { exitCodes, usageError } from '../error.ts';
import { findNode } from '../find-node.ts';
import { type FuelValues, fuelOptions, fuelWish } from '../fuel-options.ts';
import { attachLine, leaving } from '../job-words.ts';
import { programArgument } from '../program-argument.ts';
import type { RemoteValues } from '../remote-job.ts';
import type { FinishedJob, NetworkWish } from '../run-job.ts';
import { tellRun } from '../run-words.ts';
import { checkTarget, writeTarget } from '../target.ts';
import { parseAdversary, parseLoss } from '../wish.ts';

/** Validators of an embedded network. */
const usualNodes = 7;

const options = {
  input: { kind: 'path', placeholder: 'FILE', describe: 'Input, cut into items by the program.' },
  params: { kind: 'text', placeholder: 'JSON', describe: 'Parameters, passed as they are.' },
  subtasks: {
    kind: 'integer',
    placeholder: 'M',
    describe: 'Subtasks; as many as items, at most 256, unless given.',
    min: 1,
    max: 65_536,
  },
  loss: {
    kind: 'text',
    placeholder: 'P',
    describe: 'Probability of a wrong result that you accept, 1e-1 to 1e-15.',
    default: '1e-9',
  },
  adversary: {
    kind: 'text',
    placeholder: 'SHARE',
    describe: 'Share of seats assumed to lie together: 0.05, 0.1, 0.2, max.',
  },
  ...fuelOptions,
  unchecked: {
    kind: 'flag',
    describe: 'Submit without a look at the laws, and also where items fail that are tried here.',
  },
  nodes: {
    kind: 'integer',
    placeholder: 'N',
    describe: 'Validators of an embedded network; 7 unless given.',
    min: 4,
    max: 31,
  },
  faulty: {
    kind: 'integer',
    placeholder: 'K',
    describe: 'Validators of an embedded network that misbehave on purpose.',
    min: 0,
    max: 31,
  },
  fault: {
    kind: 'text',
    placeholder: 'KIND',
    describe: 'How they misbehave.',
    choices: faultNames,
  },
  seed: {
    kind: 'text',
    placeholder: 'S',
    describe: 'Makes an embedded network the same each time.',
  },
  api: {
    kind: 'text',
    placeholder: 'URL',
    describe: `A node, or \`embedded\`; one at ${usualApi} if it answers, unless given.`,
  },
  tokenFile: nodeOptions.tokenFile,
  keyFile: {
    kind: 'path',
    placeholder: 'FILE',
    describe: 'Key of the account that pays, through a node; dev0 on development networks.',
  },
  trust: {
    kind: 'text',
    placeholder: 'FILE|dev',
    describe: 'Whom you believe, through a node; its own trust file unless given.',
  },
  detach: { kind: 'flag', describe: 'Print the id of the job and do not wait, through a node.' },
  out: {
    kind: 'path',
    placeholder: 'FILE',
    describe: 'Where the result goes, instead of stdout.',
  },
  receipt: {
    kind: 'path',
    placeholder: 'FILE',
    describe: 'Where the receipt goes; PROGRAM-ID.receipt in this directory unless given.',
  },
} as const;

/** How a command gets the network that was asked for. */
type Start = (wish: NetworkWish, context: Context) => Promise<Embedded>;

/** How a command finds a node that runs already; null where none does. */
type Find = (values: NodeValues, context: Context, patient: boolean) => Promise<Client | null>;

/** The command, on networks that `start` gives, or through the node that `find` finds. */
export function runOn(start: Start, find: Find = async () => null): Command {
  return defineCommand({
    name: 'run',
    summary: 'Run a program as a job on a network of validators, and keep its receipt.',
    examples: [
      [
        `anwansi run primes --params '{"from":0,"to":1000000}'`,
        'Count primes on seven validators.',
      ],
      ['anwansi run wordcount --input README.md --out words.json', 'Count words of a file.'],
      ['anwansi run my.wasm --input data.csv --loss 1e-6', 'Your own program, another loss.'],
      [
        `anwansi run primes --params '{"from":0,"to":1000000}' --faulty 2 --fault wrong-result`,
        'Watch two liars be outvoted and named.',
      ],
      [
        'anwansi run wordcount --input book.txt --api http://127.0.0.1:26922 --detach',
        'Through a node that runs; `anwansi job watch` follows the job.',
      ],
    ],
    arguments: {
      program: { kind: 'text', describe: programArgument },
    },
    options,
    misnamed: {
      '--seats': 'An embedded network has as many validators as --nodes N says.',
    },
    run: async (context, values) => {
      const faults = checkFaults(values);
      const client = await chosenNode(values, find, context);
      return client === null
        ? runEmbedded(start, { ...values, ...faults }, context)
        : runRemote(client, values, context);
    },
  });
}

export const run = runOn(async (wish, context) => {
  const { startNetwork } = await import('../run-job.ts');
  return startNetwork(wish, context);
}, findNode);

type FaultName = (typeof faultNames)[number];

type NetworkValues = {
  readonly nodes: number | undefined;
  readonly faulty: number | undefined;
  readonly fault: FaultName | undefined;
  readonly seed: string | undefined;
};

type JobValues = FuelValues & {
  readonly unchecked: boolean;
  readonly program: string;
  readonly input: string | undefined;
  readonly params: string | undefined;
  readonly subtasks: number | undefined;
  readonly loss: string;
  readonly adversary: string | undefined;
  readonly out: string | undefined;
  readonly receipt: string | undefined;
};

type ChosenValues = NetworkValues &
  NodeValues &
  RemoteValues & {
    readonly detach: boolean;
  };

function checkFaults({ nodes = usualNodes, faulty = 0, fault }: NetworkValues): {
  readonly nodes: number;
  readonly faulty: number;
  readonly fault: FaultName | null;
} {
  if (faulty > 0 && fault === undefined)
    throw usageError('--faulty says how many, but not how', `Add --fault ${faultNames.join('|')}.`);
  if (faulty >= nodes)
    throw usageError(`--faulty ${faulty} leaves no honest validator of ${nodes}`, 'Ask for fewer.');
  if (fault === 'equivocate' && faulty > Math.floor((nodes - 1) / 3))
    throw usageError(
      `${faulty} of ${nodes} equivocating validators can break consensus itself`,
      `Ask for at most ${Math.floor((nodes - 1) / 3)}.`,
    );
  return { nodes, faulty, fault: faulty > 0 ? (fault ?? null) : null };
}

/** The node that was asked for, or is there; null for an embedded network. @throws USAGE */
async function chosenNode(
  values: ChosenValues,
  find: Find,
  context: Context,
): Promise<Client | null> {
  const { api, nodes, faulty, fault, seed } = values;
  const own = Object.entries({ nodes, faulty, fault, seed })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => `--${name}`);
  const remote = api !== undefined && api !== 'embedded';
  if (remote && own.length > 0)
    throw usageError(
      `${own.join(', ')} and --api ${api} exclude each other`,
      'The first is for an embedded network, the second for one that is there.',
    );
  if (remote) return openClient(values, context);
  // What only a node can do.
  const needless = [
    ...(values.detach ? ['--detach'] : []),
    ...(values.keyFile === undefined ? [] : ['--key-file']),
    ...(values.trust === undefined ? [] : ['--trust']),
  ];
  const patient = needless.length > 0;
  const client = api === 'embedded' || own.length > 0 ? null : await find(values, context, patient);
  if (client !== null) return client;
  if (patient)
    throw usageError(
      `${needless.join(', ')}: an embedded network ends with this command, and its keys are public`,
      `Name a node with --api URL; none answers at ${usualApi}, or it was not asked for.`,
    );
  return null;
}

/** What the person wishes, checked as far as it can be without a network. */
async function wishOf(values: JobValues, seats: number, context: Context): Promise<Wish> {
  const { checkWish } = await import('../run-job.ts');
  const { resolvePath } = context;
  const wish: Wish = {
    program: await loadProgram(values.program, resolvePath),
    parameters: values.params ?? '',
    inputPath: values.input ?? null,
    subtasks: values.subtasks ?? null,
    lossExponent: parseLoss(values.loss),
    adversary: adversaryWord(values.adversary, seats, context),
    fee: usualFee,
    fuel: fuelWish(values),
    unchecked: values.unchecked,
  };
  await checkWish(wish);
  // A job costs something: its files are looked at before it runs.
  for (const file of [values.receipt ?? resolvePath('any.receipt'), values.out])
    if (file !== undefined) await checkTarget(file);
  return wish;
}

async function runEmbedded(
  start: Start,
  values: JobValues & ReturnType<typeof checkFaults> & { readonly seed: string | undefined },
  context: Context,
): Promise<number> {
  // Loaded when it is needed: help and explanations come at once.
  const { runJob } = await import('../run-job.ts');
  const { passLaws, unlookedLine } = await import('../law-gate.ts');
  const { nodes: seats, faulty, fault, seed = null } = values;
  const wish = await wishOf(values, seats, context);
  const started = Date.now();
  const looking = values.unchecked;
  const network = await start({ seats, faulty, fault, seed, looking }, context);
  const networkMs = Date.now() - started;
  const doubts = values.unchecked ? [unlookedLine] : await passLaws(wish, network, values, context);
  const tell = (): void => doubts.forEach(context.output.note);
  const job = await runJob(wish, network, context, tell).catch(refusing(wish, values, context));
  const { name } = wish.program;
  return keepAndTell(job, { networkMs, trust: 'dev', name }, values, context);
}

async function runRemote(
  { url, status: ask }: Client,
  values: JobValues & ChosenValues,
  context: Context,
): Promise<number> {
  const { finishJob, submitJob } = await import('../run-job.ts');
  const { passLaws, unlookedLine } = await import('../law-gate.ts');
  const { remoteGround, trustWord } = await import('../remote-job.ts');
  const { output } = context;
  try {
    const started = Date.now();
    const status = await ask({ signal: context.signal });
    output.note(`node ${url}, network ${shortened(status.network)} of ${status.seats} validators`);
    const wish = await wishOf(values, status.seats, context);
    const patient = await openClient({ ...values, api: url }, context, retriesOf.upload);
    const ground = await remoteGround(patient, values, context);
    const networkMs = Date.now() - started;
    const doubts = values.unchecked
      ? [unlookedLine]
      : await passLaws(wish, ground, values, context);
    const leave = leaving(url, context);
    const submitted = await submitJob(wish, ground, context, (id) => {
      doubts.forEach(output.note);
      leave.following(hex(id));
    }).catch(refusing(wish, values, context));
    if (values.detach) {
      leave.over();
      return detached(hex(submitted.prepared.id), url, context);
    }
    const job = await finishJob(submitted, ground, context, (id) =>
      leave.following(hex(id)),
    ).finally(leave.over);
    const trust = trustWord(ground.trust, values.trust);
    const { name } = wish.program;
    return await keepAndTell(job, { networkMs, trust, name }, values, context);
  } catch (error) {
    throw await toldError(error);
  }
}

/** Tells of a job that is bound to fail what it is and where; nothing was submitted. */
function refusing(
  { program }: Wish,
  values: JobValues,
  { output }: Context,
): (error: unknown) => Promise<never> {
  return async (error) => {
    const { foreseenDocument, refusedJob } = await import('../foreseen-words.ts');
    if (output.json && error instanceof ClientError && 'failure' in error.detail) {
      const failure = foreseenDocument(error.detail.failure);
      output.result({ job: null, state: 'refused', result: null, failure }, '');
    }
    throw refusedJob(error, values, program);
  };
}

function detached(job: string, url: string, { output }: Context): number {
  const attach = attachLine(job, url);
  output.note(`the job goes on without you; follow it: ${attach}`);
  output.note('if no block takes it in its time, nobody submits it anew: then run it again');
  output.result({ job, state: 'pending', attach }, job);
  return exitCodes.done;
}

type Ended = { readonly networkMs: number; readonly trust: string; readonly name: string };

/** Keeps the receipt in its file, and tells the rest. */
async function keepAndTell(
  job: FinishedJob,
  { networkMs, trust, name }: Ended,
  values: JobValues,
  context: Context,
): Promise<number> {
  const { shortId } = await import('../run-job.ts');
  const receiptFile =
    values.receipt ?? context.resolvePath(`${name}-${shortId(job.prepared.id)}.receipt`);
  await writeTarget(receiptFile, job.receipt);
  const outFile = values.out ?? null;
  return tellRun(job, { networkMs, trust, receiptFile, outFile, named: values }, context);
}

function adversaryWord(
  text: string | undefined,
  seats: number,
  { output }: Context,
): AdversaryWord {
  const denominator = text === undefined ? defaultAdversary(seats) : parseAdversary(text);
  const word = adversaryWords[adversaryDenominators.indexOf(denominator)]!;
  if (text === undefined) output.detail(`adversary ${word}, because none was given`);
  return word;
}
