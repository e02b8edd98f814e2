// Goal: an input of 1 GB goes through `data put`, `data get` and `run --api`, and no process takes
// 400 MB of memory for it.
// Method: a network of a process each, the command line as further ones; the kernel's own high
// water mark of every process, looked at while they live. Its twin holds the input in memory.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  descendants,
  type Ended,
  newPlace,
  type Place,
  type Started,
  startAnwansi,
} from '../support/anwansi-process.ts';

const inputBytes = 1_000_000_000;
const memoryMbMax = 400;
const patienceMs = 3_000_000;

let place: Place;
let network: Started;
let api: string;
/** High water marks in MB, by process and what it is. */
const marks = new Map<string, number>();
let looking: NodeJS.Timeout;

beforeAll(async () => {
  place = newPlace();
  await writeWords(join(place.directory, 'book.txt'));
  network = startAnwansi(['dev', '--nodes', '4', '--processes', '--api-port', '0'], { place });
  looking = setInterval(() => look(network.child.pid!, 'node', marks), 500);
  let out = '';
  network.child.stdout!.on('data', (text) => {
    out += text;
  });
  await vi.waitFor(() => expect(out).toMatch(/^api +http/m), { timeout: 120_000, interval: 200 });
  api = /^api +(\S+)$/m.exec(out)![1]!;
}, 600_000);
afterAll(async () => {
  clearInterval(looking);
  network?.child.kill('SIGTERM');
  await network?.ended;
  place?.remove();
}, 120_000);

/** Lines of six words, as many as make up the bytes; nothing of it is held. */
async function writeWords(file: string): Promise<void> {
  const lines: string[] = [];
  const words = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'];
  for (let line = 0; line < 20_000; line++)
    lines.push(words.map((_, at) => words[(at * 7 + line) % 6]).join(' '));
  const stream = createWriteStream(file);
  for (let [bytes, turn] = [0, 0]; bytes < inputBytes; turn++) {
    // Turned each time, so that no two items are alike: equal ones would be kept once.
    const at = (turn * 7_919) % lines.length;
    const chunk = Buffer.from(`${[...lines.slice(at), ...lines.slice(0, at)].join('\n')}\n`);
    bytes += chunk.length;
    if (!stream.write(chunk))
      await new Promise<void>((go) => void stream.once('drain', () => go()));
  }
  stream.end();
  await finished(stream);
}

/** Notes what the kernel says of a process and of all that it started. Linux only. */
function look(pid: number, what: string, into: Map<string, number>): void {
  for (const one of descendants(pid))
    try {
      const status = readFileSync(`/proc/${one}/status`, 'latin1');
      const kb = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
      const name = `${what} ${one}`;
      into.set(name, Math.max(into.get(name) ?? 0, kb / 1_000));
    } catch {
      // It ended while we looked.
    }
}

async function measured(words: readonly string[]): Promise<Ended> {
  const started = startAnwansi([...words, '--api', api], { place });
  const timer = setInterval(
    () => look(started.child.pid!, words.slice(0, 2).join(' '), marks),
    200,
  );
  const ended = await started.ended.finally(() => clearInterval(timer));
  expect(ended.exitCode, ended.err).toBe(0);
  return ended;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

function tooLarge(of: ReadonlyMap<string, number>): string[] {
  return [...of].filter(([, mb]) => mb >= memoryMbMax).map(([name, mb]) => `${name}: ${mb} MB`);
}

test(
  'a blob of 1 GB goes to a node and back',
  async () => {
    const put = await measured(['data', 'put', 'book.txt']);
    const cid = new TextDecoder().decode(put.out).trim();
    await measured(['data', 'get', cid, '--out', 'back.txt']);
    const [sent, back] = ['book.txt', 'back.txt'].map((name) => join(place.directory, name));
    expect(await digestOf(back!)).toBe(await digestOf(sent!));
    expect(tooLarge(marks)).toEqual([]);
  },
  patienceMs,
);

test(
  'a job on an input of 1 GB settles',
  async () => {
    const job = await measured(['run', 'wordcount', '--input', 'book.txt']);
    const counts = JSON.parse(new TextDecoder().decode(job.out)) as Record<string, number>;
    expect(Object.keys(counts).sort()).toEqual([
      ...['alpha', 'beta', 'delta', 'epsilon', 'gamma', 'zeta'],
    ]);
    expect(new Set(Object.values(counts)).size, 'each as often as the others').toBe(1);
    expect([...marks.keys()].filter((name) => name.startsWith('run')).length).toBeGreaterThan(0);
    expect(tooLarge(marks), JSON.stringify([...marks])).toEqual([]);
  },
  patienceMs,
);

test('a process that holds the input would be told', async () => {
  const greedy = spawn(process.execPath, [
    '-e',
    'const held = Buffer.alloc(500_000_000, 1); setTimeout(() => held, 2_000);',
  ]);
  const found = new Map<string, number>();
  const timer = setInterval(() => look(greedy.pid!, 'greedy', found), 50);
  await new Promise((resolve) => greedy.once('close', resolve));
  clearInterval(timer);
  expect(tooLarge(found)).toHaveLength(1);
}, 60_000);
