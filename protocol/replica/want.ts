/** Ask peers for what is missing: one question out for each thing, until it is here. */
import { mark, unreachable } from '../assert.ts';
import { type Hex, hex } from '../brand.ts';
import { follows } from '../consensus/chain.ts';
import type { Digest } from '../crypto/hash.ts';
import { addTo, dropFirst, firstOf } from './agenda.ts';
import type { ReplicaState, Wanted } from './state.ts';
import type { SyncRequest } from './wire.ts';

/** Retries in which a question that is out counts as lost: its host may have dropped the answer. */
const lostRetryCount = 32;

/** Names a question by what it asks for. */
export function wantKey(request: SyncRequest): string {
  switch (request.kind) {
    case 'block':
      return `block/${hex(request.hash)}`;
    case 'certificates':
      return `certificates/${request.ids.map(hex).join('/')}`;
    case 'final':
      return 'final';
    default:
      return unreachable(request);
  }
}

/** What is known of a block that is missing. */
export type Missing = {
  /** A view in which it was named. */
  readonly view: number;
  readonly certified: boolean;
  readonly from: string | null;
};

/** Wants a block, header and body. */
export function wantBlock(
  state: ReplicaState,
  hash: Digest,
  { view, certified, from }: Missing,
): void {
  want(state, { kind: 'block', hash }, { view, certified, about: null, prefer: from });
}

/** Wants the certificates that a proposal names. */
export function wantCertificates(
  state: ReplicaState,
  ids: readonly Uint8Array[],
  { about, view, from }: { about: Hex; view: number; from: string | null },
): void {
  want(state, { kind: 'certificates', ids }, { view, certified: false, about, prefer: from });
}

/** Wants the final blocks above our own. */
export function wantFinal(state: ReplicaState): void {
  const from = state.finalRef.height + 1;
  const known = state.wanted.get('final');
  if (known?.request.kind === 'final' && known.request.from !== from) state.wanted.delete('final');
  const { view } = state.engine;
  want(state, { kind: 'final', from }, { view, certified: true, about: null, prefer: null });
}

type Need = Pick<Wanted, 'view' | 'certified' | 'about' | 'prefer'>;

function want(state: ReplicaState, request: SyncRequest, need: Need): void {
  const key = wantKey(request);
  const known = state.wanted.get(key);
  if (known === undefined) {
    const wanted = { request, ...need, out: null, at: state.now };
    state.wanted.set(key, wanted);
    if (need.certified) state.fleeting.delete(key);
    else state.fleeting.add(key);
    schedule(state, key, wanted, state.now);
    return;
  }
  if (!need.certified || known.certified) return;
  // A quorum has it: the first question may have gone to the one who hides it.
  known.certified = true;
  state.fleeting.delete(key);
}

function schedule({ agenda }: ReplicaState, key: string, wanted: Wanted, at: number): void {
  wanted.at = at;
  addTo(agenda, key, at);
}

/**
 * Asks every question that is due, and forgets those whose answer nobody needs any more.
 * @see spec/protocol/replica.md R26, R27, R28
 */
export function askDue(state: ReplicaState): void {
  dropNeedless(state, state.fleeting);
  // What is certified is needed until it is final.
  const { view } = state.finalRef;
  if (view !== state.wantedFromView) dropNeedless(state, state.wanted.keys());
  state.wantedFromView = view;
  for (let due = nextDue(state); due !== null && due.wanted.at <= state.now; due = nextDue(state)) {
    const { key, wanted } = due;
    if (wanted.out !== null) {
      mark('R27');
      state.asked.delete(wanted.out);
    }
    mark('R26');
    wanted.out = state.nextId++;
    schedule(state, key, wanted, state.now + lostRetryCount * state.rules.retryMs);
    state.asked.set(wanted.out, key);
    const { out: id, prefer, request } = wanted;
    wanted.prefer = null;
    state.effects.push({ kind: 'request', id, prefer, request });
  }
}

function dropNeedless(state: ReplicaState, keys: Iterable<string>): void {
  for (const key of keys) {
    const wanted = state.wanted.get(key);
    if (wanted !== undefined && !isNeedless(state, wanted)) continue;
    state.fleeting.delete(key);
    if (wanted === undefined) continue;
    mark('R28');
    if (wanted.out !== null) state.asked.delete(wanted.out);
    state.wanted.delete(key);
  }
}

/** The question that is due first; what the agenda says of others that are gone is forgotten. */
function nextDue({ agenda, wanted: all }: ReplicaState) {
  for (let first = firstOf(agenda); first !== undefined; first = firstOf(agenda)) {
    const wanted = all.get(first.key);
    if (wanted?.at === first.at) return { key: first.key, wanted };
    dropFirst(agenda);
  }
  return null;
}

/** Lets every question be due within one retry time of a clock that was set back. */
export function hastenAll(state: ReplicaState, now: number): void {
  const latest = now + state.rules.retryMs;
  for (const [key, wanted] of state.wanted)
    if (wanted.at > latest) schedule(state, key, wanted, latest);
}

function isNeedless(state: ReplicaState, { request, view, certified, about }: Wanted): boolean {
  if (request.kind === 'final') return request.from <= state.finalRef.height;
  if (certified) return view <= state.finalRef.view;
  if (view < state.engine.view) return true;
  const entry = about === null ? undefined : state.tree.get(about);
  return entry !== undefined && follows(state.engine, entry.ref);
}

/** Notes that a question came back: unless what it asked for is here, it is asked again later. */
export function answered(state: ReplicaState, id: number): Wanted | null {
  const key = state.asked.get(id);
  state.asked.delete(id);
  const wanted = key === undefined ? undefined : state.wanted.get(key);
  if (wanted === undefined || wanted.out !== id) return null;
  wanted.out = null;
  schedule(state, key!, wanted, state.now + state.rules.retryMs);
  return wanted;
}

/** When the next question is due. */
export function nextAskAt(state: ReplicaState): number | null {
  return nextDue(state)?.wanted.at ?? null;
}
