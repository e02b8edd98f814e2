/** Watch a simulated world and report whatever the theorems forbid. */
import { hex } from '../../protocol/brand.ts';
import { codec } from '../../protocol/codec/codec.ts';
import { bigUint } from '../../protocol/codec/schema.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import { recordCodec } from '../../protocol/ledger/record.ts';
import { mapEntries } from '../../protocol/merkle/map.ts';
import type { Effect, Notice } from '../../protocol/replica/effect.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import { ballots } from './ballots.ts';
import type { SimulatedNetwork } from './network.ts';
import { oaths } from './oaths.ts';

/** A violated invariant by its name on the reliability page, and what violated it. */
export type Violation = { readonly name: string; readonly detail: string };
export type Violate = (name: string, detail: string) => void;

export type Checker = {
  readonly violations: readonly Violation[];
  /** One effect of an honest seat, in the order in which it is performed. */
  readonly performed: (seat: number, effect: Effect) => void;
  /** Made durable though it was never performed: the step stopped before it. */
  readonly durable: (seat: number, effect: Effect) => void;
  /** A message on the wire, whoever sent it. */
  readonly heard: (topic: string, bytes: Uint8Array) => void;
  /** Honest messages must pass every honest judge. */
  readonly refused: (seat: number, code: string) => void;
  readonly bounded: (seat: number, state: ReplicaState) => void;
  readonly violate: Violate;
  /** Hashes of final blocks by height, as the first seat made them final. */
  readonly finals: ReadonlyMap<number, string>;
  /** Codes that honest seats refused blocks for, and how often. */
  readonly notices: ReadonlyMap<string, number>;
};

/** Violations of one invariant that are told. */
const toldCountMax = 3;

/** A checker of one world. Its rules are its own: it asks no part of the product for a verdict. */
export function checker(network: SimulatedNetwork, faulty: ReadonlySet<number>): Checker {
  const seats = network.rules.genesis.seats.length;
  const violations: Violation[] = [];
  const violate: Violate = (name, detail) => {
    const told = violations.filter((each) => each.name === name).length;
    if (told < toldCountMax) violations.push({ name, detail });
  };
  const { logged, published } = oaths(violate);
  const { heard, certifies } = ballots(network, violate);
  const { finals, finalize } = chainWatch(network, certifies, violate);
  const notices = new Map<string, number>();
  const noticed = (notice: Notice): void => {
    if (notice.kind === 'equivocation' && !faulty.has(notice.seat))
      violate('I8 accusation', `seat ${notice.seat} is honest and was accused`);
    if (notice.kind === 'block-refused')
      notices.set(notice.code, (notices.get(notice.code) ?? 0) + 1);
  };
  const durable = (seat: number, effect: Effect): void => {
    logged(seat, effect);
    if (effect.kind === 'finalize') finalize(seat, effect);
  };
  return {
    violations,
    performed: (seat, effect) => {
      durable(seat, effect);
      if (effect.kind === 'publish') published(seat, effect.topic, effect.bytes);
      if (effect.kind === 'notice') noticed(effect.notice);
    },
    durable,
    heard,
    refused: (seat, code) => violate('I5 judges', `seat ${seat} sent what is refused: ${code}`),
    bounded: (seat, state) => {
      for (const [name, size, limit] of sizes(state, seats))
        if (size > limit) violate('I19 bounds', `seat ${seat} holds ${size} ${name}`);
    },
    violate,
    finals,
    notices,
  };
}

const tokensCodec = codec('tokens', 32, bigUint(2n ** 128n - 1n));

/** All tokens of a state: accounts, and what open jobs hold. Reads raw entries. */
function totalTokens(entries: Iterable<{ key: Uint8Array; value: Uint8Array }>): bigint {
  let total = 0n;
  const front = (key: Uint8Array): string => new TextDecoder().decode(key.subarray(0, 8));
  for (const { key, value } of entries) {
    if (front(key) === 'account/') total += tokensCodec.decode(value);
    else if (front(key).startsWith('job/')) total += recordCodec.decode(value).escrow;
  }
  return total;
}

/** I1 agreement, I2 validity, I3 finality for ever, I7 conservation of tokens. */
function chainWatch(
  { rules }: SimulatedNetwork,
  certifies: ReturnType<typeof ballots>['certifies'],
  violate: Violate,
) {
  const supply = rules.genesis.accounts.reduce((sum, { tokens }) => sum + tokens, 0n);
  const finals = new Map<number, string>();
  const heights = new Map<number, number>();
  const finalize = (seat: number, effect: Extract<Effect, { kind: 'finalize' }>): void => {
    let last = '';
    const { height: top } = effect.chain.header;
    const news = !finals.has(top);
    for (const { header } of effect.blocks) {
      const { height } = header;
      last = hex(headerHash(header));
      const parent = finals.get(height - 1);
      if (height !== (heights.get(seat) ?? 0) + 1)
        violate('I3 finality', `seat ${seat} made height ${height} final out of turn`);
      if (height > 1 && parent !== undefined && parent !== hex(header.parent))
        violate('I2 validity', `height ${height} does not extend the final block below it`);
      const known = finals.get(height);
      if (known === undefined) finals.set(height, last);
      else if (known !== last) violate('I1 agreement', `two final blocks at height ${height}`);
      heights.set(seat, height);
    }
    if (last !== hex(effect.chain.hash))
      violate('I2 validity', `the chain of height ${top} is not that of its block`);
    if (!certifies(effect.certificate, last))
      violate('I4 certificates', `seat ${seat} made height ${top} final without a certificate`);
    // Equal blocks have equal states: one look a height is enough.
    if (news && totalTokens(mapEntries(effect.chain.map)) !== supply)
      violate('I7 conservation', `tokens came or went up to height ${top}`);
  };
  return { finals, finalize };
}

/** What a replica holds, and how much it may: most grows with the views without a final block. */
export function sizes(
  state: ReplicaState,
  seats: number,
): readonly (readonly [name: string, size: number, limit: number])[] {
  const open = Math.max(state.engine.view - state.finalRef.view, 1);
  const window = open + 4 * seats + 64;
  return [
    ['blocks', state.tree.size, 2 * window + 512],
    ['orphans', state.orphans.size, 2 * window + 512],
    ['certificates', state.certificates.size, 6 * (open + 2)],
    ['questions', state.wanted.size, 32 + 4 * open],
    ['questions out', state.asked.size, 32 + 4 * open],
    ['proposals', state.proposed.size, window],
    ['statements', state.pool.statements.size, 2_048 * seats],
    ['jobs waiting', state.pool.jobs.size, 4_096],
    ['jobs', state.jobs.size, 4_096 + 64 * window],
    ['statements of its own', state.said.size, 4_096],
    ['duties', state.duties.size, 4_096],
  ];
}
