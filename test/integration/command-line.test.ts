// Goal: `run` and `verify` keep the contract of their output: one document or the bare result,
// files where the caller means them, codes for every verdict, and nothing left behind.
// Method: the real command line in processes of their own, in empty directories. The bare result
// is looked at in programs.test.ts, SIGTERM in command-line.long.test.ts.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeCatalogue } from '../../node/cli/codes.ts';
import { explain } from '../../node/cli/commands/explain.ts';
import { verify as verifyCommand } from '../../node/cli/commands/verify.ts';
import { genesisCodec } from '../../protocol/ledger/genesis.ts';
import { parseReceipt, receiptMagic } from '../../protocol/receipt/receipt.ts';
import { checkpointOf, devPolicy, formatTrust } from '../../protocol/receipt/trust.ts';
import {
  anwansi,
  documentOf,
  type Ended,
  newPlace,
  type Place,
  packageRoot,
  startAnwansi,
} from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { expectLeavesNothing } from '../support/interrupted-run.ts';

const patienceMs = 240_000;
const primes = ['primes', '--params', '{"from":0,"to":1000000}'];
const text = 'to be or not to be';
const words = '{"be":2,"not":1,"or":1,"to":2}';

const places: Place[] = [];
function place(): Place {
  const made = newPlace();
  places.push(made);
  return made;
}
/** Where the receipts of the first two jobs are. */
const [counted, texts] = [place(), place()];
let primesJob: Promise<Ended>;
let wordsJob: Promise<Ended>;

beforeAll(() => {
  writeFileSync(join(texts.directory, 'hamlet.txt'), text);
  // Two networks at once, of one seed: they must not meet.
  primesJob = anwansi(['run', ...primes, '--json', '--seed', 'one'], { place: counted });
  const files = ['--input', 'hamlet.txt', '--out', 'words.json', '--receipt', 'words.receipt'];
  wordsJob = anwansi(['run', 'wordcount', ...files, '--seed', 'one'], {
    place: texts,
    // As npm does it: the process stands in the package, the caller somewhere else.
    directory: packageRoot,
    environment: { INIT_CWD: texts.directory },
  });
});
afterAll(async () => {
  await Promise.all([primesJob, wordsJob]);
  for (const each of places) each.remove();
}, patienceMs);

const textOf = ({ out }: Ended): string => new TextDecoder().decode(out);
const lastLine = (ended: Ended): string => textOf(ended).trimEnd().split('\n').at(-1)!;

describe('run', () => {
  test(
    'with --json prints one document with everything about the job',
    async () => {
      const ended = await primesJob;
      expect(ended.exitCode, ended.err).toBe(0);
      const document = documentOf(ended);
      expect(document).toMatchObject({ schema_version: 1, success: true, errors: [] });
      const { data } = document;
      const file = join(counted.directory, `primes-${data.job.slice(0, 8)}.receipt`);
      const count = expect.any(Number);
      const units = expect.stringMatching(/^[1-9][0-9]*$/);
      expect(data).toEqual({
        job: expect.stringMatching(/^[0-9a-f]{64}$/),
        state: 'settled',
        result: { bytes: 5, file: null, text: '78498' },
        loss: {
          target: '1e-9',
          adversary: '1/5',
          bound: null,
          condition: 'more than 2 of 7 collude',
          atMax: null,
          skipped: count,
          seats: 7,
          perLane: 3,
          validators: [count, count],
        },
        work: { items: 2, subtasks: 2, lanes: 2, executions: count, seats: expect.any(Array) },
        fuel: {
          limits: { item: units, combine: units, fold: units, render: units },
          measured: expect.objectContaining({ items: 2, most: units, failed: [], unrun: null }),
          mapFuel: units,
          paid: units,
          fee: '1',
          escrow: units,
        },
        failure: null,
        receipt: { file, bytes: readFileSync(file).length },
        heights: { included: count, drawn: data.heights.included + 1, settled: count },
        timings: {
          networkMs: count,
          prepareMs: count,
          settleMs: count,
          receiptMs: count,
        },
      });
      expect(data.work.executions).toBeGreaterThanOrEqual(6);
      expect(data.heights.settled).toBeGreaterThan(data.heights.drawn);
      for (const seat of data.work.seats)
        expect(seat).toEqual({
          lane: expect.any(Number),
          seat: count,
          wave: count,
          verdict: expect.any(String),
        });
      expect(readdirSync(counted.directory)).toEqual([`primes-${data.job.slice(0, 8)}.receipt`]);
      expect(readdirSync(counted.temporary), 'nothing is left').toEqual([]);
    },
    patienceMs,
  );

  test(
    'resolves paths against its caller, also one who came by npm',
    async () => {
      const ended = await wordsJob;
      expect(ended.exitCode, ended.err).toBe(0);
      expect(readdirSync(texts.directory).sort()).toEqual([
        'hamlet.txt',
        'words.json',
        'words.receipt',
      ]);
      expect(readFileSync(join(texts.directory, 'words.json'), 'utf8')).toBe(words);
      expect(textOf(ended), 'where it is, instead of the result').toBe(
        `result ${join(texts.directory, 'words.json')}\n`,
      );
      expect(readdirSync(texts.temporary)).toEqual([]);
    },
    patienceMs,
  );

  test(
    'to somebody who does not read ends all the same, and cleans up',
    async () => {
      const here = place();
      const started = startAnwansi(['run', ...primes, '--nodes', '4'], { place: here });
      started.child.stdout!.destroy();
      const { exitCode, err } = await started.ended;
      expect(exitCode, err).toBe(0);
      expect(err).not.toMatch(/EPIPE|\n +at /);
      expect(readdirSync(here.temporary)).toEqual([]);
    },
    patienceMs,
  );

  test(
    'on SIGINT ends with 130, its children with it, and leaves nothing',
    () => expectLeavesNothing(place(), 'SIGINT', 130),
    patienceMs,
  );
});

describe('verify', () => {
  const receiptFile = async (): Promise<string> => documentOf(await primesJob).data.receipt.file;
  const verify = (given: string[], nodeOptions: string[] = [], wrapper: string[] = []) =>
    anwansi(['verify', ...given], { place: counted, nodeOptions, wrapper });

  /** Makes all of Node that opens a socket throw, and says so on standard error. */
  const deaf = `
    import dgram from 'node:dgram';
    import dns from 'node:dns';
    import http from 'node:http';
    import https from 'node:https';
    import net from 'node:net';
    import { syncBuiltinESMExports } from 'node:module';
    import { writeSync } from 'node:fs';
    const refuse = (what) => () => {
      writeSync(2, 'SOCKET ' + what + '\\n');
      throw new Error('no sockets here: ' + what);
    };
    net.Socket.prototype.connect = refuse('connect');
    net.Server.prototype.listen = refuse('listen');
    net.connect = net.createConnection = refuse('net.connect');
    dgram.createSocket = refuse('dgram');
    dns.lookup = refuse('lookup');
    http.request = http.get = https.request = https.get = refuse('http');
    globalThis.fetch = refuse('fetch');
    syncBuiltinESMExports();`;
  const preload = ['--import', `data:text/javascript,${encodeURIComponent(deaf)}`];

  test(
    'opens no socket, where `run` does',
    async () => {
      const receipt = await receiptFile();
      const [ended, twin] = await Promise.all([
        verify([receipt, '--trust', 'dev', '--reexecute', '1'], preload),
        anwansi(['run', ...primes], { place: place(), nodeOptions: preload }),
      ]);
      expect(ended.exitCode, ended.err).toBe(0);
      expect(ended.err).not.toContain('SOCKET');
      expect(lastLine(ended)).toMatch(/^VERIFIED job [0-9a-f]{64}$/);
      expect(textOf(ended).match(/VERIFIED/g)).toHaveLength(1);
      expect(twin.err).toContain('SOCKET ');
    },
    patienceMs,
  );

  test(
    'verifies where there is no network at all',
    async (context) => {
      const wrapper = ['unshare', '--map-root-user', '--net'];
      const allowed = await anwansi(['--version'], { place: place(), wrapper }).catch(() => null);
      if (allowed?.exitCode !== 0) context.skip('this machine does not let us leave its network');
      const ended = await verify([await receiptFile(), '--trust', 'dev'], [], wrapper);
      expect(ended.exitCode, ended.err).toBe(0);
      expect(lastLine(ended)).toMatch(/^VERIFIED /);
    },
    patienceMs,
  );

  test(
    'runs subtasks again on the reader’s own input, and not without it',
    async () => {
      await wordsJob;
      const given = [join(texts.directory, 'words.receipt'), '--trust', 'dev', '--reexecute', '1'];
      const other = join(texts.directory, 'other.txt');
      writeFileSync(other, `${text}?`);
      const [good, wrong, none] = await Promise.all([
        verify([...given, '--input', join(texts.directory, 'hamlet.txt')]),
        verify([...given, '--input', other]),
        verify(given),
      ]);
      expect([good.exitCode, lastLine(good)]).toEqual([0, expect.stringMatching(/^VERIFIED /)]);
      expect([wrong.exitCode, lastLine(wrong)]).toEqual([
        5,
        expect.stringMatching(/^CANNOT TELL .*AUDIT_OTHER_INPUT/),
      ]);
      expect([none.exitCode, lastLine(none)]).toEqual([
        5,
        expect.stringMatching(/^CANNOT TELL .*AUDIT_NO_INPUT/),
      ]);
    },
    patienceMs,
  );

  test(
    'tells a changed receipt, a strange one and none apart by their codes',
    async () => {
      const receipt = readFileSync(await receiptFile());
      const file = (name: string, bytes: Uint8Array | string): string => {
        const path = join(counted.temporary, name);
        writeFileSync(path, bytes);
        return path;
      };
      const flipped = Uint8Array.from(receipt);
      flipped[receipt.length >> 1]! ^= 4;
      const versioned = Uint8Array.from(receipt);
      versioned[receiptMagic.length + 2]! += 1;
      const strangers = strangersTrust(receipt);
      const dev = ['--trust', 'dev'];
      const cases: [string[], number, string][] = [
        [[file('cut', receipt.subarray(0, 5_000)), ...dev], 4, 'REFUTED: RECEIPT_MALFORMED'],
        [[file('flipped', flipped), ...dev], 4, 'REFUTED'],
        [[file('longer', Buffer.concat([receipt, Buffer.of(0)])), ...dev], 4, 'REFUTED'],
        [[file('version', versioned), ...dev], 5, 'CANNOT TELL: RECEIPT_VERSION'],
        [[await receiptFile()], 5, 'AUDIT_NO_TRUST'],
        [[await receiptFile(), '--trust', file('other', strangers)], 5, 'AUDIT_OTHER_NETWORK'],
        [[file('text', 'a text'), ...dev], 2, 'RECEIPT_NOT_A_RECEIPT'],
        [[file('nothing', ''), ...dev], 2, 'RECEIPT_NOT_A_RECEIPT'],
        [['missing', ...dev], 3, 'RECEIPT_NOT_FOUND'],
        [['.', ...dev], 3, 'RECEIPT_NOT_FOUND'],
        [[await receiptFile(), '--trust', 'missing'], 3, 'TRUST_NOT_FOUND'],
        [[await receiptFile(), '--trust', file('trust', '{}')], 2, 'TRUST_MALFORMED'],
      ];
      for (const [given, exitCode, says] of cases) {
        const world = { directory: counted.directory };
        const ended = await runWords([verifyCommand], ['verify', ...given], world);
        const all = ended.out + ended.err;
        expect(ended.exitCode, `${given[0]}\n${all}`).toBe(exitCode);
        expect(all).toContain(says);
        expect(all).not.toMatch(/VERIFIED|UNEXPECTED|\n +at /);
      }
    },
    patienceMs,
  );

  test(
    'with --json gives the verdict, the findings and the result; with --out a file of it',
    async () => {
      const ended = await verify([await receiptFile(), '--trust', 'dev', '--json']);
      const { success, data } = documentOf(ended);
      expect({ success, verdict: data.verdict, code: data.code }).toEqual({
        success: true,
        verdict: 'verified',
        code: null,
      });
      expect(data.findings.every(({ status }: { status: string }) => status === 'ok')).toBe(true);
      const { result } = documentOf(await primesJob).data;
      const sha256 = hash('sha256', result.text);
      expect(data.result).toEqual({ ...result, sha256, file: null });
      const out = join(counted.temporary, 'proved');
      const more = ['--out', out, '--reexecute', '65536'];
      const told = await verify([await receiptFile(), '--trust', 'dev', ...more]);
      expect(readFileSync(out, 'utf8')).toBe(result.text);
      expect(textOf(told)).toContain(`SHA-256 ${sha256}, in ${out}`);
      expect(told.err).toMatch(/the job has .* again, though --reexecute asks for 65536/);
      expect(textOf(told)).not.toContain('not executed');
      // Of a receipt that nobody vouches for there is no result.
      const untrusted = await verify([await receiptFile(), '--out', `${out}2`]);
      expect([untrusted.exitCode, existsSync(`${out}2`)]).toEqual([5, false]);
      expect(textOf(untrusted)).not.toContain(sha256);
    },
    patienceMs,
  );
});

/** The trust file of a network of the same seats, begun at another time. */
function strangersTrust(receipt: Uint8Array): string {
  const genesis = genesisCodec.decode(parseReceipt(receipt).genesis);
  return formatTrust(checkpointOf({ ...genesis, timeMs: genesis.timeMs + 1 }, devPolicy));
}

test('explain knows every code of the catalogue, in words and as a document', async () => {
  for (const { code, meaning, cause, remedy, exitCode } of codeCatalogue) {
    const shown = await runWords([explain], ['explain', code]);
    expect(shown).toMatchObject({ exitCode: 0, err: '' });
    for (const part of [code, meaning, cause, remedy]) expect(shown.out).toContain(part);
    const { document } = await runWords([explain], ['explain', code.toLowerCase(), '--json']);
    expect(document.data).toEqual({ code, meaning, cause, remedy, exit_code: exitCode });
  }
});

test('standard error closed is no reason to stop either', async () => {
  const started = startAnwansi(['explain', 'USAGE'], { place: counted });
  started.child.stderr!.destroy();
  const [exitCode] = await once(started.child, 'close');
  expect(exitCode).toBe(0);
});
