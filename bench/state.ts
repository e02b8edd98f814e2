/** Measure updates of the state map against the hashes that they cannot do without. */
import { nativeSha256 } from '../node/crypto.ts';
import { hash, installSha256, uint64 } from '../protocol/crypto/hash.ts';
import {
  emptyMap,
  type MapChange,
  mapRoot,
  mapUpdate,
  type StateMap,
} from '../protocol/merkle/map.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { growthRow, interleave, paired, processor, spread, wall } from './measure.ts';

const largest = 100_000;
const batches = [1, 100, 1_000, 10_000];

async function run(effort: Effort): Promise<readonly Row[]> {
  installSha256(nativeSha256);
  const rows: Row[] = [];
  const ofBatch: [number, number][] = [];
  const ofKeys: [number, number][] = [];
  const full = mapOf(largest);
  for (const batch of batches) {
    const row = await updateRow(full, largest, batch, effort);
    ofBatch.push([batch, row.figure.median]);
    rows.push(row);
  }
  for (const keys of [1_000, 10_000]) {
    const row = await updateRow(mapOf(keys), keys, 1_000, effort);
    ofKeys.push([keys, row.figure.median]);
    rows.push(row);
  }
  ofKeys.push([largest, ofBatch[2]![1]]);
  rows.push(growthRow('an update and its root, as the batch grows', ofBatch));
  rows.push(growthRow('1 000 updates and their root, as keys grow', ofKeys));
  return rows;
}

async function updateRow(map: StateMap, keys: number, batch: number, effort: Effort): Promise<Row> {
  let turn = 0;
  const change = (): number => mapRoot(mapUpdate(map, changes(keys, batch, turn++)))[0]!;
  const sizes = hashedSizes(change);
  const inputs = sizes.map((size) => new Uint8Array(size).fill(size));
  const taken = await interleave(effort.runs(9), {
    update: change,
    hashes: () => {
      for (const input of inputs) nativeSha256(input);
    },
  });
  return {
    ...paired(`${keys} keys, ${batch} updates`, 'ms', processor(taken.update), {
      name: `its ${sizes.length} hashes alone`,
      values: processor(taken.hashes),
    }),
    wallMs: spread(wall(taken.update)),
    note: `${(sizes.length / batch).toFixed(1)} hashes an update`,
  };
}

/** Lengths of all that an act hashes. */
function hashedSizes(act: () => unknown): readonly number[] {
  const sizes: number[] = [];
  installSha256((bytes) => {
    sizes.push(bytes.length);
    return nativeSha256(bytes);
  });
  sizes.length = 0;
  act();
  installSha256(nativeSha256);
  return sizes;
}

function mapOf(keys: number): StateMap {
  const map = mapUpdate(
    emptyMap,
    Array.from({ length: keys }, (_, key) => entry(key, 0)),
  );
  mapRoot(map); // Hashes once; an update hashes only what it touched.
  return map;
}

function changes(keys: number, batch: number, turn: number): readonly MapChange[] {
  const step = Math.max(1, Math.floor(keys / batch));
  return Array.from({ length: batch }, (_, at) =>
    entry((at * step + (turn % step)) % keys, turn + 1),
  );
}

function entry(key: number, turn: number): MapChange {
  return { key: uint64(key), value: hash('dev', 'value', key, turn) };
}

export const state: Benchmark = {
  name: 'state',
  question: 'How long do updates of the state and its new root take?',
  run,
};
