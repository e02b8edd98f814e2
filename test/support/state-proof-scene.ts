/** Set a scene for state proofs: a chain whose last header carries any state, signed by anybody. */
import { type VoteKind, voteMessage } from '../../protocol/consensus/message.ts';
import { quorum } from '../../protocol/consensus/seats.ts';
import { type Header, headerHash } from '../../protocol/ledger/header.ts';
import { mapRoot, type StateMap } from '../../protocol/merkle/map.ts';
import type { History } from '../../protocol/receipt/inclusion.ts';
import { auditStateProof, type StateAudit } from '../../protocol/receipt/state-audit.ts';
import {
  issueStateProof,
  type StateProof,
  type StateProofPieces,
  stateProofCodec,
} from '../../protocol/receipt/state-proof.ts';
import { checkpointOf, devPolicy, type Trust } from '../../protocol/receipt/trust.ts';
import { fakeWorld, type LedgerWorld } from './ledger-world.ts';
import { specLines } from './lines.ts';

/** Header hashes of a world's chain. */
export function historyOf(world: LedgerWorld): History {
  return { hash: (height) => world.chains[height]?.hash ?? null, subtree: () => null };
}

/** What a node would gather if the header of a height carried this state; by default its own. */
export function piecesOf(
  world: LedgerWorld,
  key: Uint8Array,
  { height = world.chains.length - 1, map }: { height?: number; map?: StateMap } = {},
): StateProofPieces & { readonly certificate: NonNullable<StateProofPieces['certificate']> } {
  const chain = world.chains[height]!;
  const final = map === undefined ? chain.header : { ...chain.header, stateRoot: mapRoot(map) };
  const [kind, epoch, block] = ['final', 0, headerHash(final)] as const;
  const signed = votesFor(world, final);
  const certificate = {
    ...{ kind, epoch, view: final.view, block },
    seats: signed.map(({ seat }) => seat),
    signatures: signed.map(({ signature }) => signature),
  };
  const history = historyOf(world);
  return { genesis: world.genesis, key, final, certificate, map: map ?? chain.map, history };
}

/** Votes for a header of whoever is named, by default of the first q seats. */
export function votesFor(
  world: LedgerWorld,
  final: Header,
  { voters, kind = 'final' }: { voters?: readonly number[]; kind?: VoteKind } = {},
): StateProof['votes'] {
  const count = quorum(world.genesis.seats.length);
  const subject = { kind, epoch: final.epoch, view: final.view, block: headerHash(final) };
  return (voters ?? Array.from({ length: count }, (_, seat) => seat)).map((seat) => ({
    seat,
    signature: world.keys.seat(seat).sign(voteMessage(world.rules.network, subject, seat)),
  }));
}

/** The proof that a node would issue. */
export const proofOf = (...given: Parameters<typeof piecesOf>): StateProof =>
  issueStateProof(piecesOf(...given));

/** Audits with a checkpoint of the world, or with other trust. */
export function auditOf(
  world: LedgerWorld,
  proof: StateProof | Uint8Array,
  trust: Trust | null = checkpointOf(world.genesis, devPolicy),
): StateAudit {
  const bytes = proof instanceof Uint8Array ? proof : stateProofCodec.encode(proof);
  return auditStateProof(bytes, trust, { suite: world.keys.suite });
}

/** A world of a few blocks with nothing in them. */
export function emptyWorld(seats: number, heights: number, seed = 1): LedgerWorld {
  const world = fakeWorld(seats, seed);
  for (let height = 0; height < heights; height++) world.block();
  return world;
}

/** Lines of the receipt page that a test of state proofs leaves to others. */
export function othersThan(...own: readonly string[]): Readonly<Record<string, string>> {
  const others = specLines('receipt').filter((line) => !own.includes(line));
  return Object.fromEntries(others.map((line) => [line, 'other tests of the receipt page']));
}
