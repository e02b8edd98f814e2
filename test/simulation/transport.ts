/** Carry messages and questions between simulated machines: late, twice, out of order, or never. */
import { hex } from '../../protocol/brand.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import type { SyncRequest, SyncResponse } from '../../protocol/replica/wire.ts';
import type { Chance } from './random.ts';
import type { Weather } from './weather.ts';
import type { Machine, SimNode } from './world.ts';

/** Peers that are asked, and milliseconds that each has; blocks of one answer. */
const askedPeerCount = 3;
const patienceMs = 300;
const stretchBlockCount = 16;

export type Transport = {
  /** Calls `act` when a message arrives, as often as it does. */
  readonly send: (from: SimNode, to: SimNode, act: () => void) => void;
  /** Asks one peer after another, as a node's host does; `answer` is called once, if at all. */
  readonly ask: (
    node: SimNode,
    effect: Extract<Effect, { kind: 'request' }>,
    answer: (response: SyncResponse | null) => void,
  ) => void;
  /** Questions that went out to a peer. */
  readonly asked: () => number;
};

/** Seats that hear only each other for a while. */
export type Partition = {
  readonly groups: readonly (readonly number[])[];
  readonly untilMs: number;
};

export type TransportParts = {
  readonly weather: Weather;
  readonly partition: Partition | null;
  readonly chance: Chance;
  readonly nodes: readonly SimNode[];
  readonly machine: Machine;
  /** Milliseconds since the world began. */
  readonly elapsed: () => number;
  readonly at: (delay: number, act: () => void) => void;
};

export function transport(parts: TransportParts): Transport {
  const { weather, partition, chance, nodes, machine, elapsed, at } = parts;
  let asked = 0;

  const cutOff = (from: SimNode, to: SimNode): boolean => {
    if (Math.max(from.isolatedUntil, to.isolatedUntil) > elapsed()) return true;
    if (partition === null || elapsed() >= partition.untilMs) return false;
    return !partition.groups.some((group) => group.includes(from.seat) && group.includes(to.seat));
  };

  const send = (from: SimNode, to: SimNode, act: () => void): void => {
    const { lossPercent, duplicatePercent, delayMinMs, delaySpreadMs, tailPercent, tailMs } =
      weather;
    const copies = chance.percent(duplicatePercent) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (chance.percent(lossPercent)) continue;
      let delay = delayMinMs + chance.below(delaySpreadMs + 1);
      if (chance.percent(tailPercent)) delay += chance.below(tailMs + 1);
      at(delay, () => {
        if (!cutOff(from, to) && to.state !== null) act();
      });
    }
  };

  const ask: Transport['ask'] = (node, { prefer, request }, answer) => {
    const { life } = node;
    let settled = false;
    const settle = (response: SyncResponse | null): void => {
      if (settled || node.life !== life) return;
      settled = true;
      answer(response);
    };
    const first = chance.below(nodes.length);
    const attempt = (place: number): void => {
      if (settled || node.life !== life) return;
      if (place === askedPeerCount) {
        settle(null);
        return;
      }
      const named = place === 0 ? nodes[Number(prefer ?? Number.NaN)] : undefined;
      const to = named ?? nodes[(first + place) % nodes.length]!;
      if (to === node) {
        attempt(place + 1);
        return;
      }
      asked += 1;
      send(node, to, () => {
        const response = serve(machine, to, request);
        const empty = response === null || (response.kind === 'block' && response.block === null);
        if (!empty) send(to, node, () => settle(response));
      });
      at(patienceMs, () => attempt(place + 1));
    };
    attempt(0);
  };

  return { send, ask, asked: () => asked };
}

/** What a node's host answers: from memory, else from disk; null where it says nothing. */
function serve(machine: Machine, node: SimNode, request: SyncRequest): SyncResponse | null {
  if (node.state === null || node.role === 'silent' || node.role === 'withholding') return null;
  if (request.kind === 'block') {
    const twin = node.tongue?.twins.get(hex(request.hash));
    if (twin !== undefined) {
      const items = node.state.tree.get(twin.of)?.items;
      return { kind: 'block', block: items == null ? null : { ...twin.block, items } };
    }
  }
  const held = machine.serveFromMemory(node.state, request);
  if (held !== null) return held;
  const { chain, heights, finalCertificates } = node.disk;
  if (request.kind === 'block') {
    const height = heights.get(hex(request.hash));
    return { kind: 'block', block: height === undefined ? null : chain[height - 1]! };
  }
  if (request.kind !== 'final') return null;
  let last = Math.min(request.from - 1 + stretchBlockCount, chain.length);
  while (last >= request.from && !finalCertificates.has(last)) last -= 1;
  const blocks = chain.slice(request.from - 1, last);
  return { kind: 'final', blocks, certificate: finalCertificates.get(last) ?? null };
}
