/** Make blocks final: move the base of the chain, clear what it has overtaken. */
import { assert, mark } from '../assert.ts';
import { type Hex, hex, unhex } from '../brand.ts';
import { tryDecode } from '../codec/codec.ts';
import type { Certificate } from '../consensus/message.ts';
import { jobId, type SignedJob } from '../job/job.ts';
import { blockItemCodec } from '../ledger/block.ts';
import { StateCursor } from '../ledger/state.ts';
import { followDuties, isOrdered } from './duty.ts';
import { removeJob, removeStatement } from './pool.ts';
import type { ReplicaState, TreeEntry } from './state.ts';
import { want } from './want.ts';

/** Remembers a Final certificate whose block may not be at hand yet. */
export function certify(state: ReplicaState, certificate: Certificate): void {
  if (certificate.view <= (state.certified?.certificate.view ?? state.final.header.view)) return;
  state.certified = { id: hex(certificate.block), certificate };
}

/**
 * Moves the final chain up to the certified block, if every block up to it is applied.
 * @see spec/protocol/replica.md R27, R28
 */
export function finalizeReady(state: ReplicaState): boolean {
  const { certified } = state;
  if (certified === null) return false;
  const path = pathTo(state, certified.id);
  if (path === null) {
    mark('R27');
    askForMissing(state, certified.id);
    return false;
  }
  state.certified = null;
  if (path.length === 0) return false;
  mark('R28');
  const last = path.at(-1)!;
  assert(last.chain !== null, 'a final block is applied');
  const blocks = path.map(({ header, signature, items }) => ({
    header,
    signature,
    items: items!,
  }));
  state.final = last.chain;
  state.finalCertificate = certified.certificate;
  state.finalAt = state.now;
  const { certificate } = certified;
  state.effects.push({ kind: 'finalize', blocks, certificate, chain: last.chain });
  prune(state);
  followDuties(state);
  return true;
}

/** Applied blocks from above the final one up to `id`; null if one is missing. */
function pathTo(state: ReplicaState, id: Hex): readonly TreeEntry[] | null {
  const path: TreeEntry[] = [];
  let at = id;
  const base = hex(state.final.hash);
  while (at !== base) {
    const entry = state.tree.get(at);
    if (entry === undefined || entry.chain === null) return null;
    path.unshift(entry);
    at = entry.ref.parent;
  }
  return path;
}

/** Asks for the lowest block that is missing below a certified one. */
function askForMissing(state: ReplicaState, id: Hex): void {
  let at = id;
  for (;;) {
    const known = state.tree.get(at) ?? state.orphans.get(at);
    if (known === undefined) break;
    if (known.header.height <= state.final.header.height + 1) return;
    at = hex(known.header.parent);
  }
  if (state.tree.has(at) || at === hex(state.final.hash)) return;
  want(state, { kind: 'block', hash: unhex(at)! }, null);
  want(state, { kind: 'final', from: state.final.header.height + 1 }, null);
}

function prune(state: ReplicaState): void {
  const { height, view, timeMs } = state.final.header;
  const base = hex(state.final.hash);
  const kept = new Set<Hex>([base]);
  // Parents stand before their children: one pass finds everything that grows from the base.
  for (const [id, entry] of state.tree) {
    if (entry.header.height > height && kept.has(entry.ref.parent)) kept.add(id);
    else state.tree.delete(id);
  }
  for (const [id, orphan] of state.orphans)
    if (orphan.header.height <= height + 1) state.orphans.delete(id);
  for (const [id, held] of state.certificates) if (held.view < view) state.certificates.delete(id);
  for (const own of state.proposed.keys()) if (own < view) state.proposed.delete(own);
  for (const [key, wanted] of state.wanted) {
    const done =
      (wanted.request.kind === 'block' &&
        state.tree.get(hex(wanted.request.hash))?.items != null) ||
      (wanted.request.kind === 'final' && wanted.request.from <= height);
    if (done) state.wanted.delete(key);
  }
  const cursor = new StateCursor(state.final.map);
  for (const [id, { signed }] of state.pool.jobs) {
    const { job } = signed;
    const gone = job.includeByMs < timeMs || cursor.usedNonce(job.submitter, job.nonce);
    if (gone) removeJob(state.pool, id);
  }
  for (const [id, { signed }] of state.pool.statements)
    if (isOrdered(cursor, signed) || isForeign(state, signed.statement.job))
      removeStatement(state.pool, id);
  keepOpenJobs(state);
}

/** A statement about a job that no chain at hand knows: its sender says it again if it matters. */
function isForeign(state: ReplicaState, job: Uint8Array): boolean {
  return !state.jobs.has(hex(job));
}

function keepOpenJobs(state: ReplicaState): void {
  const open = new Set<Hex>(new StateCursor(state.final.map).open().map(hex));
  for (const { chain } of state.tree.values())
    if (chain !== null) for (const id of new StateCursor(chain.map).open()) open.add(hex(id));
  for (const id of state.jobs.keys()) if (!open.has(id)) state.jobs.delete(id);
}

/** Remembers the jobs that a block orders. */
export function learnJobs(state: ReplicaState, items: readonly Uint8Array[]): readonly SignedJob[] {
  const learned: SignedJob[] = [];
  for (const bytes of items) {
    const item = tryDecode(blockItemCodec, bytes);
    if (item === null || item.kind !== 'job') continue;
    const id = hex(jobId(item.signed.job));
    if (state.jobs.has(id)) continue;
    state.jobs.set(id, item.signed);
    learned.push(item.signed);
  }
  return learned;
}
