/** Make blocks final: move the base of the chain, clear what it has overtaken. */
import { assert, mark } from '../assert.ts';
import { type Hex, hex, unhex } from '../brand.ts';
import { tryDecode } from '../codec/codec.ts';
import type { Certificate } from '../consensus/message.ts';
import type { Digest } from '../crypto/hash.ts';
import { jobId } from '../job/job.ts';
import { blockItemCodec } from '../ledger/block.ts';
import { StateCursor } from '../ledger/state.ts';
import { followDuties, forgetSaid, startDuties } from './duty.ts';
import { isOrdered, openJobs } from './offer.ts';
import { removeJob, removeStatement } from './pool.ts';
import type { Certified, ReplicaState, TreeEntry } from './state.ts';
import { dropBlock, dropOrphans, missingBelow } from './tree.ts';
import { wantBlock, wantFinal } from './want.ts';

/** Missing ancestors that are asked for one by one; above that, a stretch is asked for as well. */
const stepwiseHeightMax = 3;

/** Remembers a Final certificate whose block may not be at hand yet. */
export function certify(state: ReplicaState, certificate: Certificate): void {
  if (certificate.view <= (state.certified?.certificate.view ?? state.finalRef.view)) return;
  state.certified = { id: hex(certificate.block), certificate };
}

/**
 * Moves the final chain up to a certified block, if every block up to it is applied.
 * @see spec/protocol/replica.md R32, R33
 */
export function finalizeReady(state: ReplicaState): boolean {
  for (const target of [state.certified, state.stretch]) {
    const path = target === null ? null : pathTo(state, target.id);
    if (target === null || path === null) continue;
    mark('R33');
    advance(state, target, path);
    return true;
  }
  if (state.certified !== null) {
    mark('R32');
    const { id, certificate } = state.certified;
    seekAncestors(state, { id, view: certificate.view });
  }
  return false;
}

function advance(
  state: ReplicaState,
  { certificate }: Certified,
  path: readonly TreeEntry[],
): void {
  const last = path.at(-1);
  assert(last !== undefined && last.chain !== null, 'a block to be made final is new and applied');
  const blocks = path.map(({ header, signature, items }) => ({
    header,
    signature,
    items: items!,
  }));
  // A quorum's clock says that it is time: what was held by ours is as good as valid.
  for (const entry of path) if (!entry.validated) learn(state, entry);
  if (!last.validated) state.recalled.push(last.ref.id);
  state.final = last.chain;
  state.finalRef = last.ref;
  state.finalCertificate = certificate;
  const { view } = last.ref;
  if ((state.certified?.certificate.view ?? 0) <= view) state.certified = null;
  if ((state.stretch?.certificate.view ?? 0) <= view) state.stretch = null;
  state.effects.push({ kind: 'finalize', blocks, certificate, chain: last.chain });
  prune(state);
  followDuties(state);
}

/** Applied blocks from above the final one up to `id`; null if one is missing. */
function pathTo(state: ReplicaState, id: Hex): readonly TreeEntry[] | null {
  const path: TreeEntry[] = [];
  for (let at = id; at !== state.finalRef.id; ) {
    const entry = state.tree.get(at);
    if (entry === undefined || entry.chain === null) return null;
    path.push(entry);
    at = entry.ref.parent;
  }
  return path.reverse();
}

/**
 * Asks for the highest block that is missing below a certified one: its hash is known, and so it is
 * vouched for as the certified block itself is.
 * @see spec/protocol/replica.md R24, R25
 */
export function seekAncestors(
  state: ReplicaState,
  { id, view }: { readonly id: Hex; readonly view: number },
): void {
  const certified = { view, certified: true, from: state.source };
  // Whoever was sought before has had its ancestors' bodies asked for, down to the final block.
  let held = state.tree.get(id);
  const isHeld = held !== undefined;
  for (; held !== undefined && !held.sought; held = state.tree.get(held.ref.parent)) {
    held.sought = true;
    if (held.items === null) wantBlock(state, unhex(held.ref.id) as Digest, certified);
  }
  if (isHeld || id === state.finalRef.id) return;
  const orphan = state.orphans.get(id);
  const missing = orphan === undefined ? null : missingBelow(state, orphan);
  mark('R24');
  wantBlock(state, unhex(missing?.id ?? id) as Digest, certified);
  if (missing !== null && missing.childHeight > state.finalRef.height + stepwiseHeightMax) {
    mark('R25');
    wantFinal(state);
  }
}

function prune(state: ReplicaState): void {
  const { finalRef, tree, orphans } = state;
  const { height, view, id: base } = finalRef;
  const kept = new Set<Hex>([base]);
  state.unsure = new Map();
  const keep = (one: Hex, { sure, header }: Pick<TreeEntry, 'sure' | 'header'>): void => {
    if (!sure) state.unsure.set(header.view, [...(state.unsure.get(header.view) ?? []), one]);
  };
  // Parents stand before their children: one pass finds everything that grows from the base.
  for (const [id, entry] of tree) {
    const grows =
      entry.header.height > height && entry.header.view > view && kept.has(entry.ref.parent);
    if (grows) {
      kept.add(id);
      keep(id, entry);
    } else dropBlock(state, id);
  }
  dropOrphans(state, ({ header }) => header.height > height + 1 && header.view > view);
  for (const [id, orphan] of orphans) keep(id, orphan);
  for (const [id, held] of state.certificates) if (held.view < view) state.certificates.delete(id);
  for (const own of state.proposed.keys()) if (own <= view) state.proposed.delete(own);
  prunePool(state);
  forgetSaid(state);
  const open = new Set(openJobs(state.final));
  for (const { chain } of tree.values())
    if (chain !== null) for (const id of openJobs(chain)) open.add(id);
  for (const id of state.jobs.keys()) if (!open.has(id)) state.jobs.delete(id);
}

/** @see spec/protocol/replica.md R34 */
function prunePool(state: ReplicaState): void {
  const { final, pool } = state;
  const cursor = new StateCursor(final.map);
  for (const [id, { signed }] of pool.jobs) {
    const { submitter, nonce, includeByMs } = signed.job;
    if (includeByMs <= final.header.timeMs || cursor.usedNonce(submitter, nonce)) {
      mark('R34');
      removeJob(pool, id);
    }
  }
  // A statement about a job that no chain at hand knows: its seat says it again if it matters.
  for (const [id, { signed }] of pool.statements)
    if (isOrdered(cursor, signed) || !state.jobs.has(hex(signed.statement.job)))
      removeStatement(pool, id);
}

/** Keeps the jobs that an applied block orders, and begins the duties that it draws. */
export function learn(state: ReplicaState, { items, chain }: TreeEntry): void {
  assert(items !== null && chain !== null, 'what is learned is applied');
  for (const bytes of items) {
    const item = tryDecode(blockItemCodec, bytes);
    if (item === null || item.kind !== 'job') continue;
    const id = hex(jobId(item.signed.job));
    if (state.jobs.has(id)) continue;
    state.jobs.set(id, item.signed);
    state.effects.push({ kind: 'store-job', signed: item.signed });
  }
  startDuties(state, chain);
}
