/** Let tests meet programs as a seat does: real children and blobs, a store in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import {
  type InspectionParts,
  type Inspections,
  type LawEvent,
  openInspections,
} from '../../node/laws/inspection.ts';
import { type Blobs, openBlobStore } from '../../node/storage/blobs.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import type { Duty } from '../../protocol/replica/effect.ts';

/** Three floats, of which the order of summing is told. */
export const floats = [0.1, 1e16, -1e16].map(
  (value) => new Uint8Array(Float64Array.of(value).buffer),
);

type Wanted = {
  readonly parameters: string;
  readonly items: readonly Uint8Array[];
  readonly subtasks: number;
};

export const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function toldOf(
  told: readonly LawEvent[],
  count: number,
): Promise<readonly LawEvent[]> {
  while (told.length < count) await pause();
  return told;
}

/** The words that a program comes to after one lane. */
export async function inspected(inspections: Inspections, told: readonly LawEvent[], duty: Duty) {
  const before = told.length;
  inspections.meet(duty).leave();
  await toldOf(told, before + 1);
  return inspections.word(duty.signed.job);
}

/** Opens blobs and a sandbox before a file's tests, and closes them behind. */
export function inspectionScene() {
  const directory = mkdtempSync(join(tmpdir(), 'anwansi-inspect-'));
  let blobs: Blobs;
  let pool: ChildPool;

  beforeAll(async () => {
    blobs = await openBlobStore({ directory, quotaBytes: 10_000_000 });
    pool = await createExecutor({ readable: [directory], children: 1 });
  });
  afterAll(async () => {
    await pool.close();
    await blobs.close();
    rmSync(directory, { recursive: true });
  });

  /** A duty on a list of items, of which only what an inspection looks at. */
  const dutyOf = async (
    bytes: Uint8Array,
    { parameters = '', items = floats, subtasks = 1 }: Partial<Wanted> = {},
  ): Promise<Duty> => {
    const list = await blobs.putList(await Promise.all(items.map((item) => blobs.put(item))));
    const job = {
      ...{ program: await blobs.put(bytes), parameters: new TextEncoder().encode(parameters) },
      ...{ subtasks, input: { kind: 'list', root: list.slice(4), items: items.length } },
    };
    const own = { key: 'k', job: hash('dev', 'job'), lane: 0, lanes: 1, wave: 0, seat: 0 };
    return { ...own, patienceMs: 60_000, signed: { job } } as never;
  };

  const open = async (rest: Partial<InspectionParts> = {}) => {
    const told: LawEvent[] = [];
    const inspections = await openInspections({
      ...{ store: openMemoryStore(), blobs, executor: pool, scratch: join(directory, 'laws') },
      ...{ fetch: async () => undefined, tell: (event) => told.push(event) },
      // Nobody waits here for the time between checks: what it comes to is tested by itself.
      ...{ pace: { now: () => 0, wait: async () => undefined }, ...rest },
    });
    return { inspections, told };
  };
  return { directory, blobs: () => blobs, pool: () => pool, dutyOf, open };
}
