// Goal: whoever submits a job gets the same from a node in his process and over HTTP (C54), and
// the commands against a node do what they say.
// Method: one suite for both gateways, on four real nodes with one real API; then the commands.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listening, startApi } from '../../node/api/server.ts';
import { dataGet } from '../../node/cli/commands/data-get.ts';
import { dataPut } from '../../node/cli/commands/data-put.ts';
import { jobCancel } from '../../node/cli/commands/job-cancel.ts';
import { jobList } from '../../node/cli/commands/job-list.ts';
import { jobReceipt } from '../../node/cli/commands/job-receipt.ts';
import { jobResult } from '../../node/cli/commands/job-result.ts';
import { jobShow } from '../../node/cli/commands/job-show.ts';
import { jobWatch } from '../../node/cli/commands/job-watch.ts';
import { nodeDoctor } from '../../node/cli/commands/node-doctor.ts';
import { nodeDuties } from '../../node/cli/commands/node-duties.ts';
import { nodePeers } from '../../node/cli/commands/node-peers.ts';
import { nodeStatus } from '../../node/cli/commands/node-status.ts';
import { run, runOn } from '../../node/cli/commands/run.ts';
import { stateGet } from '../../node/cli/commands/state-get.ts';
import { verify } from '../../node/cli/commands/verify.ts';
import { followJob } from '../../node/client/follow.ts';
import type { Gateway } from '../../node/client/gateway.ts';
import { createClient } from '../../node/client/http.ts';
import { storeInput } from '../../node/client/input.ts';
import { localGateway } from '../../node/client/local-gateway.ts';
import { type Prepared, prepareJob, type Wish } from '../../node/client/prepare.ts';
import { loadProgram } from '../../node/client/program.ts';
import { remoteGateway } from '../../node/client/remote-gateway.ts';
import { settleReceipt } from '../../node/client/settle.ts';
import { nativeKeys, nativeSuite } from '../../node/crypto.ts';
import { createExecutor } from '../../node/executor/pool.ts';
import type { AnwansiNode } from '../../node/face.ts';
import { lockKey } from '../../node/operator/key-lock.ts';
import { makeKeys, readKey } from '../../node/operator/keys.ts';
import { operatorPaths } from '../../node/operator/paths.ts';
import type { Executor } from '../../node/ports.ts';
import { concatBytes, hex } from '../../protocol/brand.ts';
import { cutInput } from '../../protocol/execution/cut.ts';
import { genesisCodec } from '../../protocol/ledger/genesis.ts';
import { blobCid, listBlob } from '../../protocol/merkle/blob.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import { testApi } from '../support/api.ts';
import { runWords, type World } from '../support/command-line.ts';
import { createMachines, type Machines, until } from '../support/nodes.ts';

const scratch = mkdtempSync(join(tmpdir(), 'anwansi-client-'));
const token = 'a-token-that-nobody-would-guess-0123456789';
const signal = AbortSignal.timeout(120_000);
const text = `${'to be or not to be\n'.repeat(9)}that is the question`;
const words = { be: 18, is: 1, not: 9, or: 9, question: 1, that: 1, the: 1, to: 18 };

let machines: Machines;
let nodes: readonly AnwansiNode[];
let api: Listening;
let executor: Executor;
const gateways = new Map<string, Gateway>();

beforeAll(async () => {
  machines = await createMachines(4);
  nodes = await machines.start([0, 1, 2, 3]);
  const { app, parts } = testApi(
    { node: nodes[0]!, executor: machines.executor, scratch: machines.root },
    { token, stateProof: (key) => nodes[0]!.stateProof(key) },
  );
  const host = '127.0.0.1';
  api = await startApi({ app, host, port: 0, allowRemote: false, log: parts.log });
  const remote = join(scratch, 'remote');
  mkdirSync(remote);
  writeFileSync(join(scratch, 'token'), `${token}\n`, { mode: 0o600 });
  writeFileSync(join(scratch, 'input.txt'), text);
  const local = nodes.map((_, seat) => join(machines.directoryOf(seat), 'blobs'));
  executor = await createExecutor({ readable: [remote, ...local], children: 1 });
  const client = createClient({ url: api.address, token, pauseMs: 10 });
  gateways.set('in this process', localGateway(nodes));
  gateways.set('over HTTP', await remoteGateway(client, { scratch: remote, signal }));
}, 60_000);
afterAll(async () => {
  await api?.stop();
  await executor?.close();
  await machines?.remove();
  rmSync(scratch, { recursive: true, force: true });
});

async function wish(inputPath: string | null = join(scratch, 'input.txt')): Promise<Wish> {
  const program = await loadProgram(inputPath === null ? 'primes' : 'wordcount', (path) => path);
  return {
    program,
    parameters: inputPath === null ? '{"from":0,"to":1000}' : '',
    inputPath,
    subtasks: null,
    lossExponent: 9,
    adversary: 'max',
    fee: 1n,
  };
}

describe.each(['in this process', 'over HTTP'])('a network %s', (name) => {
  const gateway = (): Gateway => gateways.get(name)!;
  const prepare = async (account = 0): Promise<Prepared> =>
    prepareJob(await wish(), gateway(), executor, nativeKeys(devAccountSeed(account)), signal);

  test('is the one that it says, with a head to anchor on', async () => {
    const { genesis } = nodes[0]!.rules;
    expect(genesisCodec.encode(gateway().genesis)).toEqual(genesisCodec.encode(genesis));
    expect(hex(gateway().network)).toBe(hex(nodes[0]!.rules.network));
    await until('a block is final', () => nodes[0]!.state().final.header.height > 0);
    const anchor = await gateway().anchor(signal);
    expect(anchor.height).toBeGreaterThan(0);
    expect(await nodes[0]!.heightOf(anchor.hash)).toBe(anchor.height);
    const pulse = await gateway().pulse(signal);
    expect(pulse).toMatchObject({ seats: 4, quorum: 3 });
    expect(pulse.height).toBeGreaterThanOrEqual(anchor.height);
  });

  test('keeps blobs and lists under their names, twice as well as once', async () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index & 255);
    for (let time = 0; time < 2; time++)
      expect(await gateway().putBlob(bytes, signal)).toEqual(blobCid(bytes));
    const file = await gateway().file(blobCid(bytes), signal);
    expect(readFileSync(file).equals(bytes)).toBe(true);
    const entries = [blobCid(bytes), blobCid(Uint8Array.of(1))];
    expect(await gateway().putList(entries, signal)).toEqual(listBlob(entries).cid);
  });

  test('takes an input item by item, in order, a few at once', async () => {
    const { manifest } = (await wish()).program;
    const file = join(scratch, 'long.txt');
    const input = Buffer.from('one two three four\n'.repeat(250_000));
    writeFileSync(file, input);
    let under = 0;
    let most = 0;
    const counted: Gateway = {
      ...gateway(),
      putBlob: async (bytes, signal) => {
        most = Math.max(most, ++under);
        return gateway()
          .putBlob(bytes, signal)
          .finally(() => under--);
      },
    };
    const list = await storeInput(file, manifest, counted, signal);
    expect(list.cids).toEqual(cutInput(manifest.cut, input).map(blobCid));
    expect(list.cids.length).toBeGreaterThan(3);
    expect(list).toMatchObject({ bytes: input.length, list: listBlob(list.cids).cid });
    expect(most).toBeLessThanOrEqual(gateway().putsAtOnce);
    const broken = new Error('the third is lost');
    let put = 0;
    const failing: Gateway = {
      ...counted,
      putBlob: (bytes, signal) =>
        ++put === 3 ? Promise.reject(broken) : counted.putBlob(bytes, signal),
    };
    await expect(storeInput(file, manifest, failing, signal)).rejects.toBe(broken);
    expect(under, 'nothing goes on behind the back').toBe(0);
  });

  test('runs a job to its end, and gives a receipt that anybody can audit', async () => {
    const prepared = await prepare();
    await gateway().submit(prepared.signed, signal);
    await gateway().submit(prepared.signed, signal);
    const states: string[] = [];
    const ending = await followJob({
      gateway: gateway(),
      prepared,
      signal,
      show: ({ job }) => void (job !== null && states.push(job.state)),
    });
    expect(ending.record).toMatchObject({ state: 'settled', items: 1, subtasks: 1 });
    expect(states.at(-1)).toBe('settled');
    const receipt = await gateway().receipt(prepared.id, signal);
    const parts = { executor, scratch: join(scratch, 'remote'), suite: nativeSuite, signal };
    const { conclusion } = await settleReceipt(receipt, devTrust, parts);
    expect(conclusion.verdict).toBe('verified');
    expect(JSON.parse(new TextDecoder().decode(conclusion.result!))).toEqual(words);
  });

  test('refuses a job that it cannot run, and does not know one that nobody submitted', async () => {
    const prepared = await prepare(1);
    const forged = { ...prepared.signed, signature: new Uint8Array(64) };
    const refused = await gateway()
      .submit(forged, signal)
      .catch((error) => error);
    expect(['JOB_REFUSED', 'JOB_SIGNATURE']).toContain(refused.code);
    expect(await gateway().record(prepared.id, signal)).toBeNull();
    expect((await gateway().look(prepared.id, signal))?.state ?? 'pending').toBe('pending');
  });

  test('lets a follower go when he says so, and when nothing can come any more', async () => {
    const prepared = await prepare(2);
    const gone = AbortSignal.abort(new Error('enough'));
    const follow = (signal: AbortSignal, of: Prepared, through = gateway()) =>
      followJob({ gateway: through, prepared: of, signal, show: () => {} });
    await expect(follow(gone, prepared)).rejects.toThrow('enough');
    const job = { ...prepared.signed.job, includeByMs: Date.now() - 1_000 };
    const silent: Gateway = {
      ...gateway(),
      sightings: async function* () {
        await new Promise(() => {});
      },
      look: async () => null,
    };
    const late = { ...prepared, signed: { ...prepared.signed, job } };
    await expect(follow(signal, late, silent)).rejects.toMatchObject({ code: 'NOT_INCLUDED' });
  });
});

describe('commands', () => {
  const commands = [
    ...[run, jobList, jobShow, jobWatch, jobResult, jobReceipt, jobCancel, dataPut, dataGet],
    ...[stateGet, nodeStatus, nodePeers, nodeDuties, nodeDoctor, verify],
  ];
  const world = (): World => ({
    directory: scratch,
    environment: { ANWANSI_TOKEN_FILE: join(scratch, 'token') },
  });
  const words = (line: string, more: World = world()) =>
    runWords(commands, [...line.split(' '), '--api', api.address], more);
  let job: string;

  test('run --detach gives the id and the line that attaches again, watch the end', async () => {
    const detached = await words('run wordcount --input input.txt --detach --json');
    expect(detached.exitCode, detached.err).toBe(0);
    job = detached.document.data.job;
    const attach = `anwansi job watch ${job} --api ${api.address}`;
    expect(detached.document.data).toEqual({ job, state: 'pending', attach });
    expect(detached.err).toContain(attach);
    expect(detached.err, 'nothing was audited').not.toContain('audited');
    const watched = await words(`job watch ${job.slice(0, 10)}`);
    expect(watched.exitCode, watched.err).toBe(0);
    expect(watched.out).toMatch(new RegExp(`^job +${job}\nstate +settled\n`));
    expect(watched.err).toContain(`anwansi job result ${job} --api ${api.address}`);
  });

  test('list, show, result and receipt tell of it, and its receipt verifies offline', async () => {
    const list = await words('job list --state settled --json');
    expect(list.document.data.jobs.map(({ id }: { id: string }) => id)).toContain(job);
    const few = await words('job list --limit 1 --json');
    expect(few.document.data).toMatchObject({ more: true, jobs: [expect.anything()] });
    expect((await words(`job show ${job.slice(0, 12)}`)).out).toContain('settled');
    const result = await words(`job result ${job}`);
    expect([result.exitCode, JSON.parse(result.out).to], result.err).toEqual([0, 18]);
    expect(result.err, 'whose trust it was').toContain('trust file of the node itself');
    const own = await words(`job result ${job} --trust dev --out words.json --json`);
    const written = { file: join(scratch, 'words.json') };
    const paid = expect.stringMatching(/^\d+$/);
    expect(own.document.data).toMatchObject({
      ...{ job, result: written, fuel: { mapFuel: expect.stringMatching(/^[1-9]\d*$/), paid } },
    });
    expect(own.err).not.toContain('of the node itself');
    const receipt = await words(`job receipt ${job} --out job.receipt`);
    expect(receipt.exitCode, receipt.err).toBe(0);
    const verified = await runWords(commands, ['verify', 'job.receipt', '--trust', 'dev'], {
      directory: scratch,
    });
    // `verify` reads the file from the directory of its caller.
    expect(verified.out, verified.err).toMatch(/VERIFIED job [0-9a-f]{64}\n$/);
  });

  test('what is unknown, ambiguous or too late has its own exit code', async () => {
    expect((await words(`job show ${'0'.repeat(64)}`)).exitCode).toBe(3);
    const none = await words('job show 0123456789abcdef');
    expect([none.exitCode, none.err]).toEqual([3, expect.stringContaining('JOB_NOT_FOUND')]);
    expect((await words('job show xyz')).exitCode).toBe(2);
    const late = await words(`job cancel ${job}`);
    expect([late.exitCode, late.err]).toEqual([2, expect.stringContaining('API_JOB_ORDERED')]);
    expect((await words('job receipt 01')).exitCode, 'without --out').toBe(2);
    expect((await words('data get nonsense --out x')).exitCode).toBe(2);
    expect((await words('state get nonsense')).exitCode).toBe(2);
    expect((await words('data put nothing-here')).exitCode).toBe(3);
  });

  test('run against a node excludes what is for embedded networks, and needs a key', async () => {
    for (const flags of ['--nodes 4', '--faulty 1 --fault silent', '--seed a'])
      expect((await words(`run primes --params {} ${flags}`)).exitCode, flags).toBe(2);
    writeFileSync(join(scratch, 'loose.key'), `${'11'.repeat(32)}\n`, { mode: 0o644 });
    writeFileSync(join(scratch, 'broke.key'), `${'11'.repeat(32)}\n`, { mode: 0o600 });
    const count = 'run primes --params {"from":0,"to":10} --detach';
    const loose = await words(`${count} --key-file loose.key`);
    expect([loose.exitCode, loose.err]).toEqual([7, expect.stringContaining('KEY_MODE')]);
    const missing = await words(`${count} --key-file none.key`);
    expect([missing.exitCode, missing.err]).toEqual([7, expect.stringContaining('KEY_MISSING')]);
    expect(missing.err + loose.err).not.toContain('1111');
    const alone = await runWords(commands, ['run', 'primes', '--api', 'embedded', '--detach']);
    expect([alone.exitCode, alone.err]).toEqual([2, expect.stringContaining('--api URL')]);
  });

  test('run goes to a node that is found, or else starts a network of its own', async () => {
    const started = new Error('a network is started');
    const start = async () => {
      throw started;
    };
    const found = async () => createClient({ url: api.address, token, pauseMs: 10 });
    const line = ['run', 'primes', '--params', '{"from":0,"to":10}', '--json'];
    const through = await runWords([runOn(start, found)], [...line, '--detach'], world());
    expect(through.exitCode, through.err).toBe(0);
    expect(through.document.data.attach).toContain(api.address);
    for (const [find, more] of [
      [async () => null, []],
      [found, ['--nodes', '4']],
      [found, ['--api', 'embedded']],
    ] as const) {
      const own = await runWords([runOn(start, find)], [...line, ...more], world());
      expect(own.document.errors, more.join(' ')).toMatchObject([{ message: started.message }]);
    }
  });

  test('data goes there and back, and a wrong token goes nowhere', async () => {
    const bytes = Buffer.from(Uint8Array.from({ length: 600_000 }, (_, index) => index % 251));
    writeFileSync(join(scratch, 'data'), bytes);
    const put = await words('data put data --json');
    expect(put.document.data).toMatchObject({ bytes: bytes.length });
    const { cid } = put.document.data;
    expect((await words(`data get ${cid} --out back`)).exitCode).toBe(0);
    expect(readFileSync(join(scratch, 'back')).equals(bytes)).toBe(true);
    const absent = await words(
      'data get bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy --out gone',
    );
    expect([absent.exitCode, absent.err]).toEqual([3, expect.stringContaining('API_BLOB_UNKNOWN')]);
    const stranger = await words('data put data', { directory: scratch });
    expect([stranger.exitCode, stranger.err]).toEqual([
      7,
      expect.stringContaining('API_UNAUTHORIZED'),
    ]);
  });

  test('state get shows a value, and its proof verifies offline', async () => {
    const shown = await words('state get seat/0 --json');
    expect(shown.document.data).toMatchObject({ key: 'seat/0', entry: { kind: 'seat' } });
    const proved = await words(`state get job/${job} --proof job.proof --trust dev`);
    expect(proved.exitCode, proved.err).toBe(0);
    expect(proved.out).toContain('settled');
    const verified = await runWords(commands, ['verify', 'job.proof', '--trust', 'dev'], {
      directory: scratch,
    });
    expect(verified.out, verified.err).toContain(`VERIFIED job/${job}`);
  });

  test('node status, peers, duties and doctor answer, and doctor tells what is wrong', async () => {
    expect((await words('node status --json')).document.data).toMatchObject({
      protocol: 'anwansi/1',
      seats: 4,
      seat: 0,
    });
    expect((await words('node peers --json')).document.data).toEqual({ peers: [] });
    expect((await words('node duties --json')).document.data).toMatchObject({ duties: [] });
    const doctor = await words('node doctor --json');
    const found = new Map(
      doctor.document.data.findings.map(({ name, state }: Record<string, string>) => [name, state]),
    );
    expect(Object.fromEntries(found)).toMatchObject({ api: 'ok', quorum: 'ok', peers: 'failed' });
    expect(doctor.exitCode).toBe(6);
    const nobody = await runWords(
      commands,
      ['node', 'doctor', '--api', 'http://127.0.0.1:9', '--data-dir', join(scratch, 'none')],
      { directory: scratch },
    );
    expect(nobody.exitCode).toBe(6);
    for (const part of ['FAIL  api', 'FAIL  disk', 'so ', 'do '])
      expect(nobody.out).toContain(part);
  });

  test('node doctor sees who holds the key of a data directory, in its network alone', async () => {
    const directory = join(scratch, 'seat');
    const paths = await operatorPaths(directory);
    await makeKeys(paths);
    const { genesis, network } = nodes[0]!.rules;
    const keyLock = async () => {
      const { document } = await words(`node doctor --json --data-dir ${directory}`);
      return document.data.findings.find(({ name }: { name: string }) => name === 'key lock');
    };
    const seed = await readKey(paths, paths.seatKey);
    for (const adopted of [false, true]) {
      if (adopted) writeFileSync(paths.genesis, genesisCodec.encode(genesis));
      const lock = await lockKey(concatBytes(seed, network), directory);
      expect(await keyLock()).toMatchObject({
        state: 'ok',
        cause: expect.stringContaining(`process ${process.pid} signs`),
      });
      await lock.release();
      expect(await keyLock()).toMatchObject({ state: 'warning' });
      const elsewhere = await lockKey(concatBytes(seed, new Uint8Array(32)), directory);
      expect(await keyLock()).toMatchObject({ state: 'warning' });
      await elsewhere.release();
    }
  });
});
