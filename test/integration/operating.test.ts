// Goal: docs/operating.md does what it says, command by command, and a newcomer joins the network
// of it from the printed line alone.
// Method: two machines (network namespaces where we may make them, loopback addresses elsewhere),
// each with a folder; every shell block of the page is run as it stands there. Commands that only
// read and write files are run in this process, the others by the real command line.
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { genesisNew } from '../../node/cli/commands/genesis-new.ts';
import { nodeInit } from '../../node/cli/commands/node-init.ts';
import { verify } from '../../node/cli/commands/verify.ts';
import {
  anwansi,
  type Ended,
  newPlace,
  packageRoot,
  type Started,
  startAnwansi,
} from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { layCable } from '../support/namespaces.ts';

const msMax = 180_000;
const page = readFileSync(join(packageRoot, 'docs', 'operating.md'), 'utf8');

type Step = { readonly machine: string; readonly running: boolean; readonly line: string };
const steps: readonly Step[] = [
  ...page.matchAll(/^```sh (\w)( running)?\n([\s\S]*?)^```$/gm),
].flatMap(([, machine, running, block]) =>
  block!
    .trim()
    .split('\n')
    .map((line) => ({ machine: machine!, running: running !== undefined, line })),
);

const place = newPlace();
const cable = layCable(['a', 'b', 'c']);
const nodes: Started[] = [];

function options(machine: string) {
  const directory = join(place.directory, machine);
  mkdirSync(directory, { recursive: true });
  const environment = { ANWANSI_DATA_DIR: '', XDG_DATA_HOME: join(directory, 'home') };
  return { place, directory, environment, wrapper: cable.wrapper(machine) };
}

/** The words of a line, with the addresses that the machines have here. */
function wordsOf({ line, machine }: Pick<Step, 'line' | 'machine'>): string[] {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  expect(words.shift()).toBe('anwansi');
  const here = words.map((word) =>
    word.replace('192.0.2.1', cable.address('a')).replace('192.0.2.2', cable.address('b')),
  );
  // Without namespaces both machines have one loopback: their APIs need ports of their own.
  return cable.real || machine === 'a' ? here : [...here, ...apart(here)];
}

function apart(words: readonly string[]): readonly string[] {
  if (words[0] === 'node' && words[1] === 'start' && !words.includes('--api-port'))
    return ['--api-port', '26942', '--metrics-port', '26943'];
  if (words.includes('--api-port')) return [];
  return words[0] === 'state' || words[0] === 'data' ? ['--api', 'http://127.0.0.1:26942'] : [];
}

/** Carries files between machines, as the page asks its reader to. */
function carry(from: string, to: string): void {
  copyFileSync(join(place.directory, from), join(place.directory, to));
}

type Shown = Pick<Ended, 'exitCode' | 'err'> & { readonly out: string };

/** Files are the same on any network. */
const offline = /^(node init|genesis new|verify) /;

/** Runs a command on a machine; in this process where its network is of no matter. */
async function runOn(machine: string, words: readonly string[]): Promise<Shown> {
  const { directory, environment } = options(machine);
  if (offline.test(words.join(' ')))
    return runWords([nodeInit, genesisNew, verify], [...words], { directory, environment });
  const ended = await anwansi(words, options(machine));
  return { ...ended, out: Buffer.from(ended.out).toString() };
}

async function runStep(step: Step): Promise<Shown | null> {
  const words = wordsOf(step);
  if (words[0] === 'genesis')
    for (const name of ['b0', 'b1']) carry(`b/${name}/validator.json`, `a/${name}.json`);
  if (!step.running) return runOn(step.machine, words);
  const started = startAnwansi(words, options(step.machine));
  nodes.push(started);
  await started.says('listening');
  return null;
}

const outcomes = new Map<Step, Shown>();

beforeAll(async () => {
  for (const step of steps) {
    const ended = await runStep(step);
    if (ended === null) continue;
    outcomes.set(step, ended);
    if (step.line.includes('genesis new'))
      for (const file of ['genesis.cbor', 'trust.json']) carry(`a/${file}`, `b/${file}`);
    if (ended.exitCode !== 0) break;
  }
}, msMax);
afterAll(async () => {
  for (const { child } of nodes) child.kill('SIGTERM');
  await Promise.all(nodes.map(({ ended }) => ended));
  cable.remove();
  place.remove();
}, msMax);

describe('the walk-through', () => {
  test('has all its commands on the page', () => {
    expect(steps.length).toBeGreaterThanOrEqual(18);
    expect(steps.filter(({ running }) => running)).toHaveLength(4);
  });

  test.each(steps.filter(({ running }) => !running))('$machine: $line', (step) => {
    const ended = outcomes.get(step);
    expect(ended, 'a step before it failed').toBeDefined();
    const shown = `${ended!.err}\n${ended!.out}`;
    expect(ended!.exitCode, shown).toBe(0);
    if (step.line.includes('verify')) expect(shown).toMatch(/^VERIFIED /m);
  });
});

test(
  'what was put on one machine is got from another',
  async () => {
    const step = steps.find(({ line }) => line.includes('data put'))!;
    const cid = /\b(b[a-z2-7]{58})\b/.exec(outcomes.get(step)!.out)?.[1];
    const words = ['data', 'get', cid!, '--out', 'got.json'];
    const ended = await anwansi(words, options('a'));
    expect(ended.exitCode, ended.err).toBe(0);
    const [got, put] = ['a/got.json', 'b/trust.json'].map((file) =>
      readFileSync(join(place.directory, file)),
    );
    expect(got).toEqual(put);
  },
  msMax,
);

test(
  'a newcomer joins from the printed line alone',
  async () => {
    const { child } = nodes[0]!;
    expect(child.exitCode).toBeNull();
    const ready = nodes[0]!.out();
    const line = /join: (anwansi node start .*)$/m.exec(ready)?.[1];
    expect(line, ready).toBeDefined();
    const machine = options('c');
    carry('a/genesis.cbor', 'c/genesis.cbor');
    const made = await runOn('c', ['node', 'init', '--data-dir', 'joined']);
    expect(made.exitCode, made.err).toBe(0);
    const free = ['--listen', `${cable.address('c')}:0`, '--api-port', '0', '--metrics-port', '0'];
    const joined = startAnwansi(
      [...wordsOf({ line: line!, machine: 'a' }), '--data-dir', 'joined', ...free],
      machine,
    );
    nodes.push(joined);
    await joined.says('"msg":"final"');
    // It has heard of all four seats, though one line named one peer.
    await joined.says('"seatsHeard":4');
  },
  msMax,
);
