/** Gather the values that the laws are tested on: of items, samples, folds and doublings. */
import type { Stream } from '../../protocol/crypto/stream.ts';
import { doublingMax, type Origin } from './origin.ts';
import type { CheckBounds, PoolGroup } from './report.ts';
import { madeItems, sampleSeeds } from './sampling.ts';
import type { Items, Subject } from './subject.ts';
import type { Made, Workbench } from './workbench.ts';

/** Bytes of a value that goes to and fro for single combines. */
export const lightBytesMax = 65_536;
/** Bytes of an item that stands beside a large one, cut from it at a line's end. */
const pieceBytesMax = 2_048;
/** Origins that are tried at once. */
const batchCount = 16;
/** Lines of the job's own items that others are made of. */
const lineCountMax = 256;

/** Origins that have a light value, by how they came about, and how many had none or a heavy one. */
export type Pool = {
  readonly groups: Map<PoolGroup, readonly Origin[]>;
  refusedItems: number;
  heavy: number;
  /** The first that had none, for people. */
  refused: Refused | null;
};

/** An origin without a value, and why. */
export type Refused = {
  readonly origin: Origin;
  readonly made: Extract<Made, { readonly kind: 'failed' }>;
};

/** Nothing was gathered yet. */
export function emptyPool(): Pool {
  return { groups: new Map(), refusedItems: 0, heavy: 0, refused: null };
}

/** What gathering goes by; `enough` says between batches that there is no fuel for more. */
export type Gathering = {
  readonly subject: Subject;
  readonly items: Items;
  readonly bench: Workbench;
  readonly bounds: CheckBounds;
  readonly enough: () => boolean;
};

/** Gathers origins whose values can be had and are light. The same draw, the same pool. */
export async function fillPool(
  gathering: Gathering,
  places: readonly number[],
  draw: Stream,
): Promise<Pool> {
  const { subject, items, bounds } = gathering;
  const { exports, manifest } = subject.program;
  const pool = emptyPool();
  const keep = (group: PoolGroup, origins: readonly Origin[]): Promise<void> =>
    keepLight(gathering, pool, group, origins);
  await keep(
    'items',
    places.map((index) => ({ kind: 'item', index })),
  );
  if (!exports.generates) {
    const pieces: Uint8Array[] = [];
    for (const index of places) pieces.push(...piecesOf(await items.bytes(index)));
    const isFixed = manifest.cut.kind === 'fixed';
    const lines = (isFixed ? pieces : pieces.flatMap(linesOf)).slice(0, lineCountMax);
    const made = madeItems(manifest.cut, lines, bounds.made, draw);
    if (!isFixed) made.unshift(...pieces.filter(({ length }) => length > 0));
    await keep(
      'made',
      made.map((bytes) => ({ kind: 'made', bytes })),
    );
  }
  if (exports.sample) {
    const seeds = sampleSeeds(bounds.samples, draw);
    await keep(
      'samples',
      seeds.map((seed) => ({ kind: 'sample', seed })),
    );
  }
  await fillFolds(pool, bounds, draw, keep);
  return pool;
}

/** Partial folds of what is there, and values combined with themselves again and again. */
async function fillFolds(
  { groups }: Pool,
  bounds: CheckBounds,
  draw: Stream,
  keep: (group: PoolGroup, origins: readonly Origin[]) => Promise<void>,
): Promise<void> {
  const all = [...groups.values()].flat();
  const own = groups.get('items') ?? [];
  const base = own.length > 1 ? own : all;
  if (base.length === 0) return;
  const folds = Array.from({ length: bounds.folds }, (_, at): Origin => {
    // Half of them of real items alone: what a lane of the job itself comes to.
    const from = at % 2 === 0 ? base : all;
    const parts = Array.from({ length: 2 + draw.below(23) }, () => from[draw.below(from.length)]!);
    return { kind: 'fold', parts };
  });
  await keep('folds', folds);
  const doubled = Array.from({ length: bounds.doubled }, (): Origin => {
    const part = all[draw.below(all.length)]!;
    return { kind: 'doubled', part, times: 1 + draw.below(doublingMax) };
  });
  await keep('doubled', doubled);
}

/** Keeps the origins that have a light value. */
async function keepLight(
  { bench, enough }: Gathering,
  pool: Pool,
  group: PoolGroup,
  origins: readonly Origin[],
): Promise<void> {
  const kept: Origin[] = [];
  for (let at = 0; at < origins.length && !enough(); at += batchCount) {
    const batch = origins.slice(at, at + batchCount);
    const made = await Promise.all(batch.map(bench.make));
    made.forEach((one, place) => {
      if (one.kind === 'failed') {
        pool.refusedItems += 1;
        pool.refused ??= { origin: batch[place]!, made: one };
      } else if (one.kind === 'value' && one.value.length > lightBytesMax) pool.heavy += 1;
      else if (one.kind === 'value') kept.push(batch[place]!);
    });
  }
  if (kept.length > 0) pool.groups.set(group, kept);
}

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const text = Buffer.from(bytes).toString('latin1');
  const lines = text.split(/(?<=\n)/).filter((line) => line.length <= 512);
  return lines.map((line) => Uint8Array.from(Buffer.from(line, 'latin1')));
}

/** The beginning of a large item, up to a line's end. */
function piecesOf(bytes: Uint8Array | null): Uint8Array[] {
  if (bytes === null) return [];
  if (bytes.length <= pieceBytesMax) return [bytes];
  const end = bytes.subarray(0, pieceBytesMax).lastIndexOf(10) + 1;
  return end === 0 ? [] : [bytes.slice(0, end)];
}
