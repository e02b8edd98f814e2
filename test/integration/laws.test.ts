// Goal: a lawless program is refused before it costs anything; one that is submitted all the same
// is refused by the seats that looked at it, by name; a fault that no look finds harms nobody.
// Method: `run` as a user types it, on one network of four real hosts; verdicts of all its nodes;
// the remembered reports spoiled in between.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runOn } from '../../node/cli/commands/run.ts';
import { type Embedded, startEmbedded } from '../../node/embedded.ts';
import type { AnwansiNode } from '../../node/face.ts';
import { readLawReport } from '../../node/laws/report.ts';
import { nameBlob } from '../../node/storage/naming.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { formatCid, parseCid } from '../../protocol/merkle/cid.ts';
import { eightByteProgram } from '../fixtures/programs/lawless.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';

// A wave that lacks a seat lasts its whole time. Later ones are longer, where a machine is slow.
const parameters = { commitWindowMs: 1_000, revealWindowMs: 500, openingWindowMs: 500 };
const patienceMs = 240_000;
const place = newPlace();
const data = join(place.directory, 'data');
const files = {
  averages: eightByteProgram('average'),
  'rare-fault': eightByteProgram('sum but for one'),
} as const;
let shared: Embedded;

beforeAll(async () => {
  const nonce = sha256(utf8('laws.test'));
  const common = { faulty: 0, fault: null, readable: [] };
  shared = await startEmbedded({ seats: 4, nonce, ...common, parameters });
  for (const [name, bytes] of Object.entries(files))
    writeFileSync(join(place.directory, `${name}.wasm`), bytes);
  // Subtasks of one item each: there every seat folds alike, so that the job itself shows nothing.
  writeFileSync(
    join(place.directory, 'numbers'),
    new Uint8Array(Float64Array.of(1, 2, 3, 4).buffer),
  );
}, patienceMs);

afterAll(async () => {
  await shared?.stop();
  place.remove();
}, patienceMs);

function run(name: keyof typeof files, ...rest: string[]) {
  const words = ['run', `./${name}.wasm`, '--input', 'numbers', ...rest, '--json'];
  const environment = { ANWANSI_DATA_DIR: data };
  const world = { directory: place.directory, environment };
  return runWords([runOn(async () => shared)], words, world);
}

const cidOf = (name: keyof typeof files) => nameBlob(files[name]).cid;
/** What a node knows of a program as `run` submits it here, on whatever input. */
const wordOf = (node: AnwansiNode, name: keyof typeof files) =>
  node.laws({
    ...{ program: cidOf(name), parameters: new Uint8Array(0), subtasks: 1 },
    input: { kind: 'generated', items: 1 },
  });
const jobCount = async (): Promise<number> => (await shared.nodes[0]!.jobs(null, 100)).ids.length;

describe('a lawless program', () => {
  test('is refused before it is submitted, each time, with an example', {
    timeout: patienceMs,
  }, async () => {
    const first = await run('averages');
    expect(first.exitCode, first.err).toBe(4);
    const [error] = first.document.errors;
    expect(error.code).toBe('LAW_ASSOCIATIVE');
    expect(error.message).toMatch(/ {2}a = .*\n.*\n {2}b = /);
    expect(error.hint).toContain('--unchecked');
    // Remembered: the same seed is told again. Without the memory another one is drawn.
    const again = await run('averages');
    expect(again.document.errors).toEqual(first.document.errors);
    const folder = join(data, 'cache', 'laws');
    const [name] = readdirSync(folder);
    expect(name).toMatch(new RegExp(`^${formatCid(cidOf('averages'))}-[0-9a-f]{16}\\.law$`));
    expect(readLawReport(readFileSync(join(folder, name!)))).toMatchObject({ verdict: 'refuted' });
    writeFileSync(join(folder, name!), 'spoiled');
    const anew = await run('averages');
    expect(anew.exitCode).toBe(4);
    expect(anew.document.errors).not.toEqual(first.document.errors);
    expect(await jobCount()).toBe(0);
  });

  test(
    'that is submitted all the same is refused by name once its seats have looked at it',
    async () => {
      const program = cidOf('averages');
      const met = () =>
        shared.nodes.filter((node) => wordOf(node, 'averages')?.verdict === 'refuted');
      const ends: number[] = [];
      // A job draws as many as must agree; after some of them every seat has met it.
      while (met().length < shared.nodes.length && ends.length < 12) {
        ends.push((await run('averages', '--unchecked')).exitCode);
        const drawn = () => shared.nodes.filter((node) => wordOf(node, 'averages') !== null).length;
        await expect.poll(drawn, { timeout: 180_000 }).toBeGreaterThanOrEqual(2);
      }
      expect(met()).toHaveLength(shared.nodes.length);
      const before = await jobCount();
      const { exitCode, document } = await run('averages', '--unchecked');
      expect(exitCode).toBe(8);
      expect(document.errors).toMatchObject([{ code: 'PROGRAM_LAWLESS' }]);
      expect(document.data).toMatchObject({ state: 'voided', result: null });
      expect(await jobCount()).toBe(before + 1);
      const [node] = met();
      const { data: duties } = await node!.duties(null, 10);
      const refused = duties.filter(({ state }) => state === 'abstained');
      expect(refused.length).toBeGreaterThan(0);
      const said = /refuted the laws of the program: LAW_[A-Z]+, report (b[a-z2-7]{58})/;
      const [, name] = said.exec(refused[0]!.why)!;
      const report = readLawReport((await node!.blobs.read(parseCid(name!)!))!);
      expect(report).toMatchObject({ verdict: 'refuted', program });
    },
    patienceMs,
  );

  test(
    'whose fault no look finds settles like an honest one',
    async () => {
      const { exitCode, err } = await run('rare-fault');
      expect(exitCode, err).toBe(0);
      const words = () => shared.nodes.map((node) => wordOf(node, 'rare-fault')?.verdict ?? null);
      await expect.poll(() => words().join(), { timeout: 180_000 }).toContain('none-found');
      const next = await run('rare-fault', '--unchecked');
      expect(next.exitCode, next.err).toBe(0);
      expect(words()).not.toContain('refuted');
    },
    patienceMs,
  );

  test(
    'settles on what shows no fault, where nobody is to look',
    async () => {
      const nonce = sha256(utf8('laws.test, unchecked'));
      const common = { faulty: 0, fault: null, readable: [] };
      const options = { seats: 4, nonce, ...common, parameters, unchecked: true };
      const network = await startEmbedded(options);
      try {
        for (let time = 0; time < 2; time++) {
          const words = ['run', './averages.wasm', '--input', 'numbers', '--unchecked', '--json'];
          const world = { directory: place.directory };
          const { exitCode, err } = await runWords([runOn(async () => network)], words, world);
          expect(exitCode, err).toBe(0);
        }
        expect(network.nodes.map((node) => wordOf(node, 'averages'))).toEqual(
          new Array(4).fill(null),
        );
      } finally {
        await network.stop();
      }
    },
    patienceMs,
  );
});
