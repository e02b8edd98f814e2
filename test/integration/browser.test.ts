// Goal: a web page audits a receipt by itself: same verdicts as a node, no request, never stuck.
// Method: bundle what a page imports; let Chromium open the page as a file, under a policy that
// forbids every connection, with receipts of a real network, of liars and of endless programs.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { BuildOptions } from 'esbuild';
import fc from 'fast-check';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { foldWork } from '../../node/client/settle.ts';
import { nativeSuite } from '../../node/crypto.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { hex, utf8 } from '../../protocol/brand.ts';
import { genesisCodec } from '../../protocol/ledger/genesis.ts';
import {
  type Audit,
  auditReceipt,
  concludeAudit,
  type FoldOutcome,
  type FoldWork,
} from '../../protocol/receipt/audit.ts';
import { parseReceipt } from '../../protocol/receipt/receipt.ts';
import { checkpointOf, devTrust, formatTrust, parseTrust } from '../../protocol/receipt/trust.ts';
import { type Browser, chromiumPath, startChromium } from '../fixtures/browser/chromium.ts';
import { auditPage, bundle, bundleVerifier, bundleWorker } from '../fixtures/browser/document.ts';
import {
  endless,
  hostilePrograms,
  inadmissiblePrograms,
  recursion,
  tooDeep,
} from '../fixtures/browser/hostile.ts';
import { byteChange, flipped, pieceMutants } from '../fixtures/browser/mutants.ts';
import type { PageFunctions, PageOptions } from '../fixtures/browser/page.ts';
import { receiptsOf } from '../fixtures/browser/receipts.ts';
import { type Summary, summarize } from '../fixtures/browser/summary.ts';

/** Bytes of what a page loads to audit, and of the worker's script on top, compressed. */
const verifierBytesMax = 64 * 1024;
const workerBytesMax = 24 * 1024;

const compressedBytes = (text: string): number => gzipSync(text, { level: 9 }).length;

/** What code says to load more code, or to reach somebody. */
const networkWords =
  /\b(require|importScripts|fetch|XMLHttpRequest|WebSocket|EventSource|WebTransport|RTC\w+|sendBeacon|(import|eval|Function)(?=\())\b/g;

describe('the bundle', () => {
  test('imports nothing of Node, and names no way to a network', async () => {
    const { text, inputs } = await bundleVerifier();
    expect(text.match(/['"`]node:\w+/g)).toBeNull();
    expect(text.match(networkWords)).toBeNull();
    expect('fetch(a); import("b")'.match(networkWords)).toHaveLength(2);
    const own = /(^|\/)(protocol\/|<stdin>$)/;
    const packages = /\/node_modules\/(@ipld\/dag-cbor|cborg|multiformats|@noble\/\w+)\//;
    expect(inputs.filter((path) => !own.test(path) && !packages.test(path))).toEqual([]);
    const twin = bundle({ stdin: { contents: "import 'node:fs';", resolveDir: '.' } });
    await expect(twin).rejects.toThrow('node:fs');
  });

  test('uses neither process nor Buffer, but where cborg first asks whether they exist', async () => {
    const free = { process: 'freeProcess', Buffer: 'freeBuffer' };
    const used = async (options: BuildOptions = {}): Promise<readonly string[]> => {
      const { text } = await bundleVerifier({ define: free, ...options });
      return [...new Set(text.match(/\bfree(Process|Buffer)\b|\bglobalThis\.\w+/g))].sort();
    };
    const crypto = 'globalThis.crypto';
    expect(await used()).toEqual(['globalThis.Buffer', crypto, 'globalThis.process']);
    // With the answer no, all that rests on it is gone.
    expect(await used({ define: { ...free, 'globalThis.process': 'undefined' } })).toEqual([
      crypto,
    ]);
    const stdin = { contents: 'export const a = Buffer.from(process.argv);' };
    expect(await used({ stdin })).toEqual(['freeBuffer', 'freeProcess']);
  });

  test('is small enough to load before one looks', async () => {
    const [verifier, worker] = [await bundleVerifier(), await bundleWorker()];
    expect(compressedBytes(verifier.text)).toBeLessThan(verifierBytesMax);
    expect(compressedBytes(worker)).toBeLessThan(workerBytesMax);
  });
});

let directory: string;
let browser: Browser | null = null;
let executor: ChildPool;
let page: Page;
let primes: Uint8Array;
let endlessReceipt: Uint8Array;
/** All that the page, its workers and other pages of the browser ever asked for. */
const requests: string[] = [];

async function open(name: string, html: string): Promise<Page> {
  const path = join(directory, `${name}.html`);
  await writeFile(path, html);
  const opened = await browser!.context.newPage();
  await opened.goto(pathToFileURL(path).href);
  return opened;
}

beforeAll(async () => {
  if (chromiumPath === null) return;
  directory = await mkdtemp(join(tmpdir(), 'anwansi-browser-'));
  const endlessPath = join(directory, 'endless.wasm');
  await writeFile(endlessPath, endless);
  const jobs = [
    { program: 'primes', parameters: '{"from":0,"to":1000000}' },
    { program: endlessPath, parameters: '' },
  ];
  const [receipts, started] = await Promise.all([receiptsOf(jobs, 4), startChromium(chromiumPath)]);
  [primes, endlessReceipt] = receipts as [Uint8Array, Uint8Array];
  browser = started;
  browser.context.on('request', (request) => requests.push(request.url()));
  executor = await createExecutor({ readable: [directory], children: 1 });
  page = await open('audit', await auditPage(await bundleWorker()));
});

afterAll(async () => {
  await browser?.close();
  await executor?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

/** A test that needs a browser. */
function browse(name: string, run: (context: TestContext) => Promise<void>): void {
  test(name, (context) => {
    if (chromiumPath === null) context.skip('Chromium is missing: apt-get install chromium');
    return run(context);
  });
}

async function auditInPage(
  bytes: Uint8Array,
  { trust = 'dev', wallMs = 20_000 }: Partial<PageOptions> = {},
  where: Page = page,
): Promise<Summary> {
  const buffer = Buffer.from(bytes);
  await where.setInputFiles('input', { name: 'a.receipt', mimeType: '', buffer });
  return where.evaluate((options) => (globalThis as unknown as PageFunctions).audit(options), {
    trust,
    wallMs,
  });
}

/** Units of fuel of each fold, and of each render, that is not a job's own. */
const plenty = 100_000_000n;
const fuel = { combine: plenty, fold: plenty, render: plenty };

function foldInPage({ program, parameters, values, fuel }: FoldWork, script?: string) {
  const question = {
    program: hex(program),
    parameters: hex(parameters),
    values: values.map((value) => hex(value)),
    fuel: `${fuel.fold}`,
  };
  return page.evaluate(
    ([asked, other]) => (globalThis as unknown as PageFunctions).fold(asked, 20_000, other),
    [question, script] as const,
  );
}

async function foldInNode(work: FoldWork): Promise<FoldOutcome> {
  const { signal } = new AbortController();
  return foldWork({ work } as Audit, { executor, scratch: directory, signal });
}

async function auditInNode(bytes: Uint8Array, trust: string | null = 'dev'): Promise<Summary> {
  const believed = trust === null ? null : trust === 'dev' ? devTrust : parseTrust(trust);
  const audit = auditReceipt(bytes, believed, { suite: nativeSuite });
  const { signal } = new AbortController();
  const fold = await foldWork(audit, { executor, scratch: directory, signal });
  return summarize(audit, concludeAudit(audit, { fold }));
}

/** Waits until all workers of the page are gone. */
async function workersEnd(): Promise<void> {
  await expect.poll(() => page.workers().length, { timeout: 20_000 }).toBe(0);
}

describe('the page', () => {
  browse('without an executor finds each lane in order, and cannot tell the fold', async () => {
    const { verdict, code, findings, result } = await auditInPage(primes, { wallMs: null });
    expect({ verdict, code, result }).toEqual({
      verdict: 'cannot-tell',
      code: 'AUDIT_FOLD_NOT_RUN',
      result: null,
    });
    const lanes = findings.filter(({ check }) => check === 'lane');
    expect(lanes.map(({ lane, status }) => `${lane} ${status}`)).toEqual(['0 ok', '1 ok']);
    expect(findings.filter(({ status }) => status !== 'ok').map(({ check }) => check)).toEqual([
      'fold',
    ]);
  });

  browse('verifies with a worker, and shows the result', async () => {
    const summary = await auditInPage(primes);
    expect(summary).toMatchObject({ verdict: 'verified', code: null, result: '78498' });
    expect(summary.findings.every(({ status }) => status === 'ok')).toBe(true);
    expect(summary.assurance).toContain('more than 1 of 4 collude');
    await workersEnd();
    expect(summary).toEqual(await auditInNode(primes));
  });

  browse('refutes one turned bit, and cannot tell without trust', async () => {
    const bit = 8 * (primes.length - 100) + 3;
    expect(await auditInPage(flipped(primes, bit))).toMatchObject({
      verdict: 'refuted',
      code: 'AUDIT_PROGRAM',
      result: null,
    });
    const strange = await auditInPage(primes, { trust: null });
    expect(strange).toMatchObject({ verdict: 'cannot-tell', result: null });
  });

  browse('lives on while a fold never ends, ends its worker, and cannot tell', async () => {
    expect(await auditInPage(endlessReceipt, { wallMs: null })).toMatchObject({
      code: 'AUDIT_FOLD_NOT_RUN',
    });
    const started = page.waitForEvent('worker');
    const { verdict, code, findings, result } = await auditInPage(endlessReceipt, { wallMs: 600 });
    const beats = await page.evaluate(() => (globalThis as unknown as PageFunctions).foldBeats());
    expect(beats).toBeGreaterThan(10);
    expect({ verdict, code, result }).toEqual({
      verdict: 'cannot-tell',
      code: 'AUDIT_FOLD_NOT_RUN',
      result: null,
    });
    expect(findings.find(({ check }) => check === 'fold')?.because).toContain('within 600 ms');
    await started;
    await workersEnd();
    expect(await auditInPage(primes)).toMatchObject({ verdict: 'verified', result: '78498' });
  });

  browse('says of a hostile program what a node says', async () => {
    const values = [utf8('left'), utf8('right')];
    for (const [deed, program, expected] of hostilePrograms) {
      const work = { program, parameters: utf8('{}'), values, fuel };
      const [there, here] = [await foldInPage(work), await foldInNode(work)];
      expect(there, deed).toMatchObject(expected);
      expect({ ...there, because: '' }, deed).toEqual({ ...here, because: '' });
    }
  });

  browse('cannot tell of a recursion for which it lacks the stack', async () => {
    const values = [utf8('left'), utf8('right')];
    const work = { program: recursion, parameters: utf8('{}'), values, fuel };
    expect(await foldInNode(work)).toEqual(tooDeep);
    const there = await foldInPage(work);
    expect([tooDeep, { kind: 'not-run', because: expect.any(String) }]).toContainEqual(there);
  });

  browse('does not start a program that no seat would admit', async () => {
    for (const [deed, program] of inadmissiblePrograms) {
      const work = { program, parameters: utf8(''), values: [utf8('a'), utf8('b')], fuel };
      const outcome = await foldInPage(work);
      expect(outcome, deed).toMatchObject({ kind: 'not-run' });
      expect((outcome as { because: string }).because, deed).toContain('was not admitted');
    }
  });

  browse('believes nothing that a worker can say out of turn', async () => {
    const work = { program: new Uint8Array(1), parameters: utf8(''), values: [utf8('a')], fuel };
    const told = async (script: string): Promise<unknown> => foldInPage(work, script);
    const says = (answer: string) => told(`onmessage = () => postMessage(${answer});`);
    const nonsense = { kind: 'not-run', because: 'the worker spoke nonsense' };
    expect(await says('null')).toEqual(nonsense);
    expect(await says('{ kind: "value", value: "78498" }')).toEqual(nonsense);
    expect(await says('{ kind: "value", value: new Uint8Array(16777217) }')).toEqual(nonsense);
    expect(await says('{ kind: "failed", class: "timeout" }')).toEqual(nonsense);
    expect(await says('{ kind: "local" }')).toEqual(nonsense);
    expect(await told('throw new Error("broken")')).toMatchObject({ kind: 'not-run' });
    expect(await told('no script')).toMatchObject({ kind: 'not-run' });
    expect(await says('{ kind: "failed", class: "trap" }')).toEqual(nonsense);
    const trap = { class: 'trap', limit: 1n };
    expect(await says('{ kind: "failed", class: "trap", limit: 1n }')).toMatchObject(trap);
  });

  browse('cannot tell where its policy forbids workers, or WebAssembly', async () => {
    const forbidding = [{ 'worker-src': "'none'" }, { 'script-src': "'unsafe-inline'" }];
    for (const [at, policy] of forbidding.entries()) {
      const poorer = await open(`poorer-${at}`, await auditPage(await bundleWorker(), policy));
      expect(await auditInPage(primes, {}, poorer)).toMatchObject({
        verdict: 'cannot-tell',
        code: 'AUDIT_FOLD_NOT_RUN',
      });
      await poorer.close();
    }
  });
});

describe('the page and a node', () => {
  browse('come to the same of receipts that liars changed', async () => {
    const verdicts = new Set<string | null>();
    for (const [deed, bytes] of pieceMutants(primes)) {
      const there = await auditInPage(bytes);
      expect(there, deed).toEqual(await auditInNode(bytes));
      verdicts.add(there.code);
      expect(there.verdict === 'verified', deed).toBe(deed === 'the very same');
    }
    expect(verdicts.size, [...verdicts].join()).toBeGreaterThan(7);
  });

  browse('come to the same of changed bytes, whomever the reader believes', async () => {
    const genesis = genesisCodec.decode(parseReceipt(primes).genesis);
    const strict = { tiers: ['exact'], loss: '1e-12', adversary: 'max' } as const;
    const trusts = ['dev', null, formatTrust(checkpointOf(genesis, strict))];
    for (const trust of trusts)
      expect(await auditInPage(primes, { trust })).toEqual(await auditInNode(primes, trust));
    await fc.assert(
      fc.asyncProperty(byteChange, fc.constantFrom(...trusts), async (change, trust) => {
        const bytes = change(primes);
        const there = await auditInPage(bytes, { trust });
        expect(there).toEqual(await auditInNode(bytes, trust));
        expect(there.verdict).not.toBe('verified');
      }),
      { numRuns: 24 },
    );
  });
});

describe('no connection', () => {
  browse('is made, and one that is tried is refused and seen', async () => {
    const strangers = (): string[] => requests.filter((url) => !/^(file|blob|data):/.test(url));
    expect(requests.length).toBeGreaterThan(0);
    expect(strangers()).toEqual([]);
    let served = 0;
    const server = createServer((_, response) => {
      served += 1;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const call = (where: Page): Promise<void> =>
      where.evaluate((to) => fetch(to, { mode: 'no-cors' }).then(() => {}), url);
    await expect(call(page)).rejects.toThrow(/fetch/);
    expect(served).toBe(0);
    // The twin: without the policy the same call goes out, and is seen.
    const policy = { 'default-src': '*', 'connect-src': '*' };
    await call(await open('careless', await auditPage('', policy)));
    expect(served).toBe(1);
    expect(strangers()).toContain(url);
    server.close();
  });
});
