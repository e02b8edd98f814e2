/** Lie to a replica that catches up, in every way that costs no quorum's keys. */
import { type Hex, hex, sameBytes } from '../../protocol/brand.ts';
import type { Certificate } from '../../protocol/consensus/message.ts';
import { hash, sha256 } from '../../protocol/crypto/hash.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import type { SealedBlock, SyncRequest, SyncResponse } from '../../protocol/replica/wire.ts';
import type { Laboratory, Made } from './lone.ts';
import { simulatedJob } from './network.ts';

/** What really happened: final blocks, one a view but for gaps, and their certificates. */
export type Past = {
  readonly made: readonly Made[];
  readonly finals: readonly Certificate[];
  readonly places: ReadonlyMap<Hex, number>;
  /** A block that its leader, the liar, signed beside that of the chain. */
  readonly fork: Made;
};

export const liarSeat = 3;

/** Some tens of blocks with gaps between their views, some with jobs. */
export function past(lab: Laboratory, length: number): Past {
  const made: Made[] = [];
  let view = 0;
  let parent = lab.genesis;
  for (let place = 0; place < length; place++) {
    view += place % 5 === 4 ? 3 : 1;
    const signed = simulatedJob(lab.network, lab.genesis.header, { nonce: BigInt(place + 1) });
    const items = place % 4 === 1 ? ([{ kind: 'job', signed }] as const) : [];
    const block = lab.block(parent, view, { items });
    made.push(block);
    parent = block.chain;
  }
  const fork = lab.block(lab.genesis, lab.viewOf(liarSeat), {
    timeMs: lab.genesis.header.timeMs + 300,
  });
  return {
    made,
    finals: made.map((block) => lab.certificate('final', block.view, block.hash)),
    places: new Map(made.map((block, place) => [hex(block.hash), place])),
    fork,
  };
}

/** The truth, as far as an honest peer has it. */
export function truth({ made, finals, places }: Past, request: SyncRequest): SyncResponse {
  if (request.kind === 'certificates') return { kind: 'certificates', certificates: [] };
  if (request.kind === 'block') {
    const place = places.get(hex(request.hash));
    return { kind: 'block', block: place === undefined ? null : made[place]!.sealed };
  }
  const end = Math.min(request.from - 1 + 8, made.length);
  if (request.from > end) return { kind: 'final', blocks: [], certificate: null };
  const blocks = made.slice(request.from - 1, end).map(({ sealed }) => sealed);
  return { kind: 'final', blocks, certificate: finals[end - 1]! };
}

type Stretch = Extract<SyncResponse, { kind: 'final' }>;
type Lie = (said: Stretch, past: Past, lab: Laboratory) => SyncResponse;

const changed = (
  { blocks, certificate }: Stretch,
  place: number,
  change: (block: SealedBlock) => SealedBlock,
): Stretch => ({
  kind: 'final',
  blocks: blocks.map((block, at) => (at === place ? change(block) : block)),
  certificate,
});
const resealed = (lab: Laboratory, block: SealedBlock, change: object): SealedBlock => {
  const header = { ...block.header, ...change };
  const made = { sealed: block, hash: headerHash(header) } as Made;
  return lab.resealed(made, change).sealed;
};
const bent = (said: Stretch, change: Partial<Certificate>): Stretch => ({
  ...said,
  certificate: { ...said.certificate!, ...change },
});
const junk = sha256(Uint8Array.of(7));

/** Each lie about a stretch by its name. */
export const stretchLies: Readonly<Record<string, Lie>> = {
  'another network': (said, _, lab) =>
    changed(said, 0, (block) => resealed(lab, block, { network: junk })),
  'blocks in another order': ({ blocks, certificate }) => ({
    kind: 'final',
    blocks: [...blocks].reverse(),
    certificate,
  }),
  'the first block missing': ({ blocks, certificate }) => ({
    kind: 'final',
    blocks: blocks.slice(1),
    certificate,
  }),
  'one in the middle missing': ({ blocks, certificate }) => ({
    kind: 'final',
    blocks: blocks.filter((_, place) => place !== blocks.length >> 1),
    certificate,
  }),
  'no bodies': ({ blocks, certificate }) => ({
    kind: 'final',
    blocks: blocks.map((block) => ({ ...block, items: [] })),
    certificate,
  }),
  'bodies of other blocks': ({ blocks, certificate }, { made }) => ({
    kind: 'final',
    blocks: blocks.map((block, place) => ({
      ...block,
      items: made[(place + 5) % made.length]!.sealed.items,
    })),
    certificate,
  }),
  'junk for bodies': ({ blocks, certificate }) => ({
    kind: 'final',
    blocks: blocks.map((block) => ({ ...block, items: [junk, new Uint8Array(0)] })),
    certificate,
  }),
  'wrong signatures of leaders': (said) =>
    changed(said, 0, (block) => ({ ...block, signature: new Uint8Array(64) })),
  'a certificate of q - 1': (said) => {
    const { seats, signatures } = said.certificate!;
    return bent(said, { seats: seats.slice(1), signatures: signatures.slice(1) });
  },
  'one seat twice': (said) => {
    const { seats, signatures } = said.certificate!;
    const twice = [seats[0]!, ...seats.slice(0, -1)];
    return bent(said, { seats: twice, signatures: [signatures[0]!, ...signatures.slice(0, -1)] });
  },
  'a certificate of another view': (said) => bent(said, { view: said.certificate!.view + 1 }),
  'a certificate of the far future': (said) => bent(said, { view: 2 ** 40 }),
  'a certificate of another epoch': (said) => bent(said, { epoch: 1 }),
  'a certificate of another block': (said, { finals }) => ({ ...said, certificate: finals[0]! }),
  'a Notar certificate': (said, _, { certificate }) => {
    const { view, block } = said.certificate!;
    return { ...said, certificate: certificate('notar', view, block) };
  },
  'a Notar certificate that is called Final': (said, _, { certificate }) => {
    const { view, block } = said.certificate!;
    return bent(said, { signatures: certificate('notar', view, block).signatures });
  },
  'no certificate': (said) => ({ ...said, certificate: null }),
  'a last block that is not certified': ({ blocks, certificate }, { made }) => {
    const next = made[blocks.at(-1)!.header.height];
    return {
      kind: 'final',
      blocks: [...blocks, next?.sealed ?? blocks.at(-1)!],
      certificate,
    };
  },
  'a fork that the liar alone signed': (_, { fork }, { certificate }) => ({
    kind: 'final',
    blocks: [fork.sealed],
    certificate: certificate('final', fork.view, fork.hash, [liarSeat, liarSeat, liarSeat]),
  }),
  'a fork below a certificate with two honest words': (_, { fork, finals }, { vote }) => {
    const own = vote(liarSeat, 'final', fork.view, fork.hash).signature;
    const { seats, signatures } = finals[0]!;
    const mixed = { seats, signatures: [...signatures.slice(0, -1), own] };
    const subject = { kind: 'final', epoch: 0, view: fork.view, block: fork.hash } as const;
    return { kind: 'final', blocks: [fork.sealed], certificate: { ...subject, ...mixed } };
  },
  'a bent beacon': (said, _, lab) =>
    changed(said, said.blocks.length - 1, (block) => resealed(lab, block, { beacon: junk })),
  'a bent proof': (said, _, lab) =>
    changed(said, 0, (block) => resealed(lab, block, { vrfProof: new Uint8Array(80) })),
  'another state root': (said, _, lab) =>
    changed(said, said.blocks.length - 1, (block) =>
      resealed(lab, block, { stateRoot: hash('dev', 'another', block.header.stateRoot) }),
    ),
  'an enormous one': ({ blocks, certificate }) => ({
    kind: 'final',
    blocks: Array.from({ length: 1_024 }, (_, place) => blocks[place % blocks.length]!),
    certificate,
  }),
  'what is final already': (_, { made, finals }) => ({
    kind: 'final',
    blocks: [made[0]!.sealed],
    certificate: finals[0]!,
  }),
  'nothing at all': () => ({ kind: 'final', blocks: [], certificate: null }),
  'a single block, to be slow': ({ blocks }, { finals, places }) => {
    const [block] = blocks;
    return {
      kind: 'final',
      blocks: [block!],
      certificate: finals[places.get(hex(headerHash(block!.header)))!]!,
    };
  },
  'an answer to another question': (_, { fork }) => ({ kind: 'block', block: fork.sealed }),
};

/** Lies about one block. */
export const blockLies: Readonly<Record<string, (past: Past, hash: Uint8Array) => SyncResponse>> = {
  'another block': ({ fork }) => ({ kind: 'block', block: fork.sealed }),
  'its header with another body': ({ made }, asked) => {
    const found = made.find((block) => sameBytes(block.hash, asked));
    return {
      kind: 'block',
      block: found === undefined ? null : { ...found.sealed, items: [junk] },
    };
  },
  'its header with a wrong signature': ({ made }, asked) => {
    const found = made.find((block) => sameBytes(block.hash, asked));
    return {
      kind: 'block',
      block: found === undefined ? null : { ...found.sealed, signature: new Uint8Array(64) },
    };
  },
  nothing: () => ({ kind: 'block', block: null }),
  'a stretch': ({ made, finals }) => ({
    kind: 'final',
    blocks: [made[0]!.sealed],
    certificate: finals[0]!,
  }),
};
