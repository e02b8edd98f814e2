/** Propose a block where we lead, when its time has come, once a view. */
import { assert, mark } from '../assert.ts';
import { hex } from '../brand.ts';
import { certificateId } from '../consensus/message.ts';
import type { EngineEffect } from '../consensus/state.ts';
import type { Digest } from '../crypto/hash.ts';
import { messageHash } from '../job/statement.ts';
import { proposalCodec, proposalMessage } from '../ledger/header.ts';
import { draftBlock } from '../ledger/transition.ts';
import { beaconInput, nextBeacon } from '../sampling/beacon.ts';
import { offeredItems, openJobs } from './offer.ts';
import { removeStatement } from './pool.ts';
import type { ReplicaState, TreeEntry } from './state.ts';
import { addOwnBlock, chainAt } from './tree.ts';
import { pushedBlockCodec } from './wire.ts';

/** Certificates that an announcement names: the parent's, and the Skips next to the block. */
const restCountMax = 1_024;

type Lead = Extract<EngineEffect, { kind: 'lead' }>;

/**
 * Remembers that we lead a view; the block is made when its time has come. A later word about the
 * same view names a better parent, which counts unless the block is made.
 * @see spec/protocol/replica.md R40
 */
export function takeLead(state: ReplicaState, { view, parent, notar, skips }: Lead): void {
  if (state.proposed.has(view)) {
    mark('R41');
    return;
  }
  mark('R40');
  // The list is a hint for those who lack them: a long outage must not make it too long to send.
  const nearest = skips.slice(-(restCountMax - 1));
  const rests = [...(notar === null ? [] : [notar]), ...nearest].map((certificate) =>
    certificateId(certificate),
  );
  state.leadership = { view, parent, rests };
}

/** Whether anything waits for a block: a job to be ordered, or one that is open. */
export function isBusy(state: ReplicaState): boolean {
  return state.pool.jobs.size > 0 || state.working.size > 0 || openJobs(state.final).size > 0;
}

/** When we shall propose; null while we do not lead, or lack the parent. */
export function proposalDueAt(state: ReplicaState): number | null {
  const { leadership } = state;
  if (leadership === null || chainAt(state, leadership.parent.id) === null) return null;
  const { stepMinMs, heartbeatMs } = state.rules.ledger.genesis.parameters;
  return leadership.parent.time + (state.busy ? stepMinMs : heartbeatMs);
}

/**
 * Makes the block of the view that we lead, if it is due. It is announced once consensus has taken
 * it and our own vote for it is logged.
 * @see spec/protocol/replica.md R42, R43
 */
export function proposeDue(state: ReplicaState): TreeEntry | null {
  const { leadership } = state;
  if (leadership !== null && leadership.view !== state.engine.view) {
    mark('R42');
    state.leadership = null;
    return null;
  }
  const due = proposalDueAt(state);
  if (due === null || due > state.now || leadership === null) return null;
  state.leadership = null;
  const { seat, keys, ledger } = state.rules;
  assert(seat !== null && keys !== null, 'only a seat leads');
  assert(!state.proposed.has(leadership.view), 'one proposal a view');
  const parent = chainAt(state, leadership.parent.id)!;
  mark('R43');
  const { epoch } = parent.header;
  const { view, rests } = leadership;
  const parentBeacon = parent.header.beacon as Digest;
  const { proof, output } = keys.vrfProve(beaconInput(parentBeacon, epoch, view));
  const beacon = nextBeacon({ parentBeacon, epoch, view, output });
  const { stepMinMs, stepMaxMs } = ledger.genesis.parameters;
  const earliest = parent.header.timeMs + stepMinMs;
  const timeMs = Math.min(Math.max(state.now, earliest), parent.header.timeMs + stepMaxMs);
  const seal = { view, proposer: seat, timeMs, beacon, vrfProof: proof };
  const draft = draftBlock(parent, seal, offeredItems(state.pool, parent), ledger);
  dropHopeless(state, draft.left);
  const signature = keys.sign(proposalMessage(draft.header));
  const block = { header: draft.header, signature, items: draft.items };
  state.proposed.set(view, hex(draft.chain.hash));
  state.effects.push({ kind: 'log-proposal', block });
  return addOwnBlock(state, block, rests, draft.chain, parent.header.view);
}

/** Bytes of a block that is pushed whole: larger bodies are asked for, from whoever has them. */
const pushedBytesMax = 32_768;

/**
 * Announces a block by its header. A small body goes ahead of it: whoever had to ask for it would
 * be two hops late.
 * @see spec/protocol/replica.md R45
 */
export function announce(state: ReplicaState, entry: TreeEntry): void {
  const { header, signature, rests, items } = entry;
  const publish = (bytes: Uint8Array): void => {
    state.effects.push({ kind: 'publish', topic: 'proposals', bytes });
  };
  const bodyBytes = (items ?? []).reduce((sum, item) => sum + item.length + 5, 0);
  if (items !== null && items.length > 0 && bodyBytes + 1_024 <= pushedBytesMax) {
    mark('R45');
    publish(pushedBlockCodec.encode({ block: { header, signature, items } }));
  }
  publish(proposalCodec.encode({ header, signature, rests }));
}

// What can be seen to have no place on any chain; the rest may fit a later block or another fork.
const hopeless = new Set([
  'STATEMENT_SIGNATURE',
  'LANE_REVEAL_MISMATCH',
  'LANE_VALUE_MISMATCH',
  'LANE_OPENING_WRONG',
]);

function dropHopeless(state: ReplicaState, left: ReturnType<typeof draftBlock>['left']): void {
  for (const { item, code } of left)
    if (item.kind === 'statement' && hopeless.has(code)) {
      mark('R44');
      removeStatement(state.pool, hex(messageHash(item.signed)));
    }
}
