/** Propose a block where we lead, when its time has come, once a view. */
import { assert, mark } from '../assert.ts';
import { hex } from '../brand.ts';
import { certificateId } from '../consensus/message.ts';
import type { EngineEffect } from '../consensus/state.ts';
import type { Digest } from '../crypto/hash.ts';
import { messageHash } from '../job/statement.ts';
import { proposalCodec, proposalMessage } from '../ledger/header.ts';
import { StateCursor } from '../ledger/state.ts';
import { draftBlock } from '../ledger/transition.ts';
import { beaconInput, nextBeacon } from '../sampling/beacon.ts';
import { offeredItems, removeStatement } from './pool.ts';
import type { ReplicaState, TreeEntry } from './state.ts';
import { addOwnBlock, chainAt } from './tree.ts';

type Lead = Extract<EngineEffect, { kind: 'lead' }>;

/** Remembers that we lead a view; the block is made when its time has come. */
export function takeLead(state: ReplicaState, { view, parent, notar, skips }: Lead): void {
  if (state.proposed.has(view)) return;
  const rests = [...(notar === null ? [] : [notar]), ...skips].map((certificate) =>
    certificateId(certificate),
  );
  state.leadership = { view, parent, rests, since: state.now };
}

/** Whether anything waits for a block: a job to be ordered, or one that is open. */
export function isBusy(state: ReplicaState): boolean {
  if (state.pool.jobs.size > 0) return true;
  if (new StateCursor(state.final.map).open().length > 0) return true;
  for (const { chain } of state.tree.values())
    if (chain !== null && new StateCursor(chain.map).open().length > 0) return true;
  return false;
}

/** When we shall propose; null while we do not lead, or lack the parent. */
export function proposalDueAt(state: ReplicaState): number | null {
  const { leadership } = state;
  if (leadership === null || chainAt(state, leadership.parent.id) === null) return null;
  const { stepMinMs, heartbeatMs } = state.rules.ledger.genesis.parameters;
  return leadership.parent.time + (state.busy ? stepMinMs : heartbeatMs);
}

/**
 * Makes and announces the block of the view that we lead, if it is due.
 * @see spec/protocol/replica.md R25, R26
 */
export function proposeDue(state: ReplicaState): TreeEntry | null {
  const due = proposalDueAt(state);
  const { leadership } = state;
  if (due === null || due > state.now || leadership === null) return null;
  state.leadership = null;
  const { seat, keys, ledger } = state.rules;
  assert(seat !== null && keys !== null, 'only a seat leads');
  if (state.proposed.has(leadership.view)) return null;
  const parent = chainAt(state, leadership.parent.id)!;
  mark('R25');
  const { epoch } = parent.header;
  const { view, rests } = leadership;
  const parentBeacon = parent.header.beacon as Digest;
  const { proof, output } = keys.vrfProve(beaconInput(parentBeacon, epoch, view));
  const beacon = nextBeacon({ parentBeacon, epoch, view, output });
  const { stepMinMs, stepMaxMs } = ledger.genesis.parameters;
  const earliest = parent.header.timeMs + stepMinMs;
  const timeMs = Math.min(Math.max(state.now, earliest), parent.header.timeMs + stepMaxMs);
  const seal = { view, proposer: seat, timeMs, beacon, vrfProof: proof };
  const draft = draftBlock(parent, seal, offeredItems(state.pool), ledger);
  dropHopeless(state, draft.left);
  const signature = keys.sign(proposalMessage(draft.header));
  const block = { header: draft.header, signature, items: draft.items };
  state.proposed.set(view, hex(draft.chain.hash));
  const entry = addOwnBlock(state, block, rests, draft.chain, parent.header.view);
  state.effects.push({ kind: 'log-proposal', block });
  announce(state, entry);
  return entry;
}

/** Announces a block by its header; its body is there for whoever asks. */
export function announce(state: ReplicaState, entry: TreeEntry): void {
  const { header, signature, rests } = entry;
  const bytes = proposalCodec.encode({ header, signature, rests });
  state.effects.push({ kind: 'publish', topic: 'proposals', bytes });
}

// What can be seen to have no place on any chain; the rest may fit a later block or another fork.
const hopeless = new Set(['STATEMENT_SIGNATURE', 'LANE_REVEAL_MISMATCH', 'LANE_VALUE_MISMATCH']);

function dropHopeless(state: ReplicaState, left: ReturnType<typeof draftBlock>['left']): void {
  for (const { item, code } of left)
    if (item.kind === 'statement' && hopeless.has(code)) {
      mark('R26');
      removeStatement(state.pool, hex(messageHash(item.signed)));
    }
}
