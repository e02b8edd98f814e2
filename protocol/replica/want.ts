/** Ask peers for what is missing, one question out at a time for each thing, until it is here. */
import { mark, unreachable } from '../assert.ts';
import { hex } from '../brand.ts';
import type { ReplicaState } from './state.ts';
import type { SyncRequest } from './wire.ts';

const wantedCountMax = 1_024;
const triesMax = 64;

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

/** Wants something; asks at once unless the same question is out. */
export function want(state: ReplicaState, request: SyncRequest, prefer: string | null): void {
  const key = wantKey(request);
  if (state.wanted.has(key) || state.wanted.size >= wantedCountMax) return;
  state.wanted.set(key, { request, prefer, out: null, at: state.now, tries: 0 });
}

/** Asks every question that is due. */
export function askDue(state: ReplicaState): void {
  for (const [key, wanted] of state.wanted) {
    if (wanted.out !== null || wanted.at > state.now) continue;
    mark('R16');
    wanted.out = state.nextId++;
    state.asked.set(wanted.out, key);
    state.effects.push({
      kind: 'request',
      id: wanted.out,
      prefer: wanted.tries === 0 ? wanted.prefer : null,
      request: wanted.request,
    });
  }
}

/** Notes that a question came back; it is asked again later unless somebody drops it. */
export function answered(state: ReplicaState, id: number): SyncRequest | null {
  const key = state.asked.get(id);
  state.asked.delete(id);
  const wanted = key === undefined ? undefined : state.wanted.get(key);
  if (wanted === undefined || key === undefined || wanted.out !== id) return null;
  wanted.out = null;
  wanted.tries += 1;
  wanted.at = state.now + state.rules.retryMs;
  if (wanted.tries >= triesMax) state.wanted.delete(key);
  mark('R17');
  return wanted.request;
}

/** When the next question is due. */
export function nextAskAt(state: ReplicaState): number | null {
  let at: number | null = null;
  for (const wanted of state.wanted.values())
    if (wanted.out === null) at = Math.min(at ?? wanted.at, wanted.at);
  return at;
}
