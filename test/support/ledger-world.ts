/** Build finished jobs on a bare ledger: real blocks, real statements, no consensus, no network. */
import { fees } from '../../contracts-sim/fees.ts';
import type { LaneState, Slot } from '../../protocol/aggregation/lane.ts';
import { pickedItems } from '../../protocol/aggregation/pick.ts';
import { foldPlan, noiseSeed } from '../../protocol/algebra/noise.ts';
import {
  type ItemFailureClass,
  type ItemResult,
  type LaneLeaf,
  laneFoldFailure,
  laneRoot,
} from '../../protocol/algebra/result.ts';
import { saltInput } from '../../protocol/algebra/salt.ts';
import {
  type LaneTranscript,
  laneTranscript,
  openItem,
} from '../../protocol/algebra/transcript.ts';
import { subtaskWork } from '../../protocol/algebra/work.ts';
import { concatBytes, hex, utf8 } from '../../protocol/brand.ts';
import { type Certificate, voteMessage } from '../../protocol/consensus/message.ts';
import { leaderOf, quorum } from '../../protocol/consensus/seats.ts';
import { hash, sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import type { CryptoSuite, SeatKeys } from '../../protocol/crypto/suite.ts';
import { vrfPossession } from '../../protocol/crypto/vrf.ts';
import { itemCount, type Job, jobCodec, jobId, type SignedJob } from '../../protocol/job/job.ts';
import { laneSubtasks, subtaskItems } from '../../protocol/job/split.ts';
import {
  commitDigest,
  type LaneClaim,
  type Reveal,
  type SignedStatement,
  type Statement,
  statementMessage,
} from '../../protocol/job/statement.ts';
import type { BlockItem } from '../../protocol/ledger/block.ts';
import {
  type ChainState,
  genesisChain,
  type LedgerRules,
  ledgerRules,
} from '../../protocol/ledger/chain.ts';
import { devParameters, type Genesis } from '../../protocol/ledger/genesis.ts';
import { rulesOfLane } from '../../protocol/ledger/items.ts';
import type { JobRecord } from '../../protocol/ledger/record.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { applyBlock, draftBlock } from '../../protocol/ledger/transition.ts';
import { blobCid } from '../../protocol/merkle/blob.ts';
import { costTableVersion, protocolVersion, rewriterVersion } from '../../protocol/params.ts';
import type { LanePiece, ReceiptPieces } from '../../protocol/receipt/issue.ts';
import { beaconInput, nextBeacon } from '../../protocol/sampling/beacon.ts';
import { simulatedCrypto } from '../simulation/crypto.ts';
import { type Lie, simulatedLimits, simulatedSum } from '../simulation/lane.ts';

/** Who holds the keys of a world. Accounts have keys of their own. */
export type WorldKeys = {
  readonly suite: CryptoSuite;
  readonly seat: (index: number) => SeatKeys;
  readonly account: (index: number) => SeatKeys;
};

/** Keys that cost microseconds; not dev keys, so that only a checkpoint can trust them. */
export function fakeKeys(seed: number): WorldKeys {
  const { suite, keys } = simulatedCrypto(hash('dev', 'ledger-world', seed));
  return { suite, seat: keys, account: (index) => keys(100_000 + index) };
}

/** What a seat does when it is drawn. */
export type SeatRole =
  | 'honest'
  | 'lie'
  /** Tells the true value, and another fuel. */
  | 'miscount'
  | 'silent'
  | 'abstain'
  | 'equivocate'
  /** Commits and reveals, and never opens. */
  | 'unopened'
  /** Reveals only when the lane has drawn a second wave. */
  | 'late';

/** How the items of a simulated program end. */
export type WorldProgram = {
  readonly program: Uint8Array;
  /** Items from this one on trap. */
  readonly failing?: number;
  readonly failure?: ItemFailureClass;
  /** All items are well, and the fold of this lane fails. */
  readonly failingFold?: number;
  /** Bytes that a lane's value has beside its sum. */
  readonly padding?: number;
  /** Bends what every seat of a lane says, so that nonsense is agreed on. */
  readonly bend?: (made: LanePiece, lane: number) => LanePiece;
};

const lies: { readonly [K in SeatRole]?: Lie } = { lie: 'value', miscount: 'fuel' };

const startMs = 1_700_000_000_000;

/** One chain, grown block by block by whoever calls. */
export class LedgerWorld {
  readonly keys: WorldKeys;
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  /** The chain at every height. */
  readonly chains: ChainState[];
  readonly bodies: (readonly Uint8Array[])[] = [[]];
  readonly jobs = new Map<string, { readonly signed: SignedJob; readonly program: WorldProgram }>();
  readonly roles = new Map<number, SeatRole>();
  /** Accepted leaves and values, by job and lane, as an honest seat keeps them. */
  readonly #pieces = new Map<string, LanePiece>();
  #nonce = 1n;

  constructor(keys: WorldKeys, genesis: Genesis) {
    this.keys = keys;
    this.genesis = genesis;
    this.rules = ledgerRules(genesis, keys.suite, fees);
    this.chains = [genesisChain(this.rules)];
  }

  get tip(): ChainState {
    return this.chains.at(-1)!;
  }

  /** Grows the chain by one block. Offered items that have no place there are given back. */
  block(
    offered: readonly BlockItem[] = [],
    { stepMs = 1_000, skip = 0 }: { stepMs?: number; skip?: number } = {},
  ): readonly { readonly item: BlockItem; readonly code: string }[] {
    const { rules, tip } = this;
    const { network, leaderSeed, genesis } = rules;
    const view = tip.header.view + 1 + skip;
    const epoch = 0;
    const seats = genesis.seats.length;
    const proposer = leaderOf({ network, leaderSeed, epoch, view, seats });
    const parentBeacon = tip.header.beacon;
    const { proof, output } = this.keys
      .seat(proposer)
      .vrfProve(beaconInput(parentBeacon, epoch, view));
    const beacon = nextBeacon({ parentBeacon, epoch, view, output });
    const seal = { view, proposer, timeMs: tip.header.timeMs + stepMs, beacon, vrfProof: proof };
    const draft = draftBlock(tip, seal, offered, rules);
    const applied = applyBlock(tip, draft.header, draft.items, rules);
    if (!applied.ok) throw new Error(`a drafted block does not apply: ${applied.code}`);
    this.chains.push(applied.chain);
    this.bodies.push(draft.items);
    return draft.left;
  }

  /** A job on this chain, signed by account 0; its anchor is the tip. */
  job(program: WorldProgram, changes: Partial<Job> = {}): SignedJob {
    const { header, hash: anchorHash } = this.tip;
    const account = this.keys.account(0);
    const job: Job = {
      version: protocolVersion,
      rewriter: rewriterVersion,
      costTable: costTableVersion,
      network: this.rules.network,
      submitter: account.publicKey,
      nonce: this.#nonce++,
      program: blobCid(program.program),
      input: { kind: 'generated', items: 16 },
      cut: 'generated',
      parameters: utf8('{}'),
      subtasks: 8,
      tier: 'exact',
      lossExponent: 9,
      adversary: 'max',
      spare: 0,
      ...simulatedLimits,
      slowItemMs: 1,
      fee: 1n,
      anchorHeight: header.height,
      anchorHash,
      includeByMs: header.timeMs + 60_000,
      waves: 12,
      ...changes,
    };
    const message = signedMessage('job', this.rules.network, jobCodec.encode(job));
    const signed = { job, signature: account.sign(message) };
    this.jobs.set(hex(jobId(job)), { signed, program });
    return signed;
  }

  record(id: Uint8Array): JobRecord | null {
    return new StateCursor(this.tip.map).job(id);
  }

  /** Orders jobs in one block and runs the chain until all of them have ended. */
  run(
    jobs: readonly SignedJob[],
    { heights = 400, skip = 0 }: { heights?: number; skip?: number } = {},
  ): readonly Uint8Array[] {
    const left = this.block(jobs.map((signed) => ({ kind: 'job', signed })));
    if (left.length > 0) throw new Error(`a job was not ordered: ${left[0]!.code}`);
    const ids = jobs.map(({ job }) => jobId(job));
    this.block([], { skip });
    for (let height = 0; height < heights; height++) {
      if (ids.every((id) => this.record(id)!.ended !== null)) return ids;
      this.block(this.due().map((signed) => ({ kind: 'statement', signed })));
    }
    throw new Error('the jobs did not end');
  }

  /** All that the seats have to say about the chain as it stands. */
  due(): readonly SignedStatement[] {
    const cursor = new StateCursor(this.tip.map);
    return cursor.open().flatMap((id) => {
      const record = cursor.job(id)!;
      const lanes = record.plan?.lanes ?? 0;
      return Array.from({ length: lanes }, (_, lane) => lane).flatMap((lane) => {
        const state = cursor.lane(id, lane)!;
        if (state.outcome !== 'open') return [];
        return state.slots.flatMap((slot) => {
          const role = this.roles.get(slot.seat) ?? 'honest';
          const said = this.#say(role, id, record, lane, state, slot);
          return said.map((statement) => this.sign(statement));
        });
      });
    });
  }

  /** A statement under the signature of its seat. */
  sign(statement: Statement): SignedStatement {
    const message = statementMessage(statement, this.rules.network);
    return { statement, signature: this.keys.seat(statement.seat).sign(message) };
  }

  #say(
    role: SeatRole,
    id: Uint8Array,
    record: JobRecord,
    lane: number,
    state: LaneState,
    slot: Slot,
  ): readonly Statement[] {
    const wave = state.waves[slot.wave]!;
    const { drawId } = wave;
    const subject = { seat: slot.seat, job: id, lane, wave: slot.wave, drawId };
    if (role === 'silent') return [];
    if (role === 'abstain')
      return slot.abstained === null ? [{ kind: 'abstain', ...subject, class: 'timeout' }] : [];
    const work = this.execute(id, record, lane, slot, drawId, lies[role] ?? null);
    const reveal: Reveal = {
      ...subject,
      claim: work.claim,
      saltKey: work.saltKey,
      workRoot: work.transcript.workRoot,
      value: work.value !== null && work.value.length <= 1_024 ? work.value : null,
    };
    if (wave.commitClose === null) {
      if (slot.commit !== null && (role !== 'equivocate' || slot.equivocated)) return [];
      const digest = commitDigest(reveal);
      const other = { kind: 'commit', ...subject, digest: sha256(digest) } as const;
      const commit = { kind: 'commit', ...subject, digest } as const;
      return role === 'equivocate' ? [commit, other] : [commit];
    }
    if (slot.commit === null || slot.equivocated) return [];
    if (slot.claim === null)
      return role === 'late' && state.waves.length < 2 ? [] : [{ kind: 'reveal', ...reveal }];
    const opens = slot.wave > 0 && !slot.opened && wave.openingBeacon !== null;
    if (!opens || wave.closed !== null || role === 'unopened') return [];
    const picks = pickedItems(
      wave.openingBeacon,
      drawId,
      slot.seat,
      rulesOfLane(record, this.rules, lane),
    );
    const openings = picks.map(({ subtask, item }) => openItem(work.transcript, subtask, item));
    return [{ kind: 'open', ...subject, openings }];
  }

  /** What a seat makes of a lane: item i is worth i squared, and combining adds. */
  execute(
    id: Uint8Array,
    record: JobRecord,
    lane: number,
    slot: Pick<Slot, 'seat' | 'wave'>,
    drawId: Uint8Array,
    lie: Lie | null,
  ): {
    readonly claim: LaneClaim;
    readonly saltKey: Uint8Array;
    readonly transcript: LaneTranscript;
    readonly value: Uint8Array | null;
  } {
    const { signed, program } = this.jobs.get(hex(id))!;
    const { job } = signed;
    const { seat, wave } = slot;
    const lanes = record.plan!.lanes;
    const saltKey = this.keys.seat(seat).keyedHash(saltInput(drawId, id, lane));
    const items = itemCount(job);
    let sum = lie === 'value' ? 1 : 0;
    let mapFuel = lie === 'fuel' ? -1n : 0n;
    const failing = program.failing ?? items;
    const works = laneSubtasks(job.subtasks, lanes, lane).map((subtask) => {
      const { first, end } = subtaskItems(items, job.subtasks, subtask);
      const seed = noiseSeed({ beacon: drawId, job: id, subtask, wave, seat });
      const plan = foldPlan(seed, end - first);
      const stack: number[] = [];
      const folds: Uint8Array[] = [];
      for (const entry of plan) {
        if (entry >= 0) stack.push((first + entry) ** 2);
        else folds.push(sha256(uint64(stack[stack.push(stack.pop()! + stack.pop()!) - 1]!)));
      }
      sum += stack[0]!;
      mapFuel += simulatedSum(job, first, end, Math.max(first, failing));
      const results = Array.from({ length: end - first }, (_, place): ItemResult => {
        const item = first + place;
        if (item >= failing) return { ok: false, class: program.failure ?? 'trap' };
        return { ok: true, valueHash: sha256(uint64(item ** 2 + (lie === 'value' ? 1 : 0))) };
      });
      return subtaskWork(
        { subtask, first, plan, items: results, folds: end > failing ? null : folds },
        saltKey,
      );
    });
    const made: LaneLeaf[] = works.map(({ subtask, result }) => ({ subtask, result }));
    if (program.failingFold === lane) made.push(laneFoldFailure(lanes));
    const failed = made.some(({ result }) => !result.ok);
    const honest = failed ? null : concatBytes(uint64(sum), new Uint8Array(program.padding ?? 0));
    const { leaves, value } = program.bend?.({ leaves: made, value: honest }, lane) ?? {
      leaves: made,
      value: honest,
    };
    const transcript = laneTranscript(works);
    const valueCid = value === null ? null : blobCid(value);
    const claim = { laneRoot: laneRoot(leaves), valueCid, mapFuel };
    this.#pieces.set(pieceKey(id, claim), { leaves, value });
    return { claim, saltKey, transcript, value };
  }

  /** Final votes of the first q seats for the block at a height. */
  certificate(height: number): Certificate {
    const { header, hash: block } = this.chains[height]!;
    const subject = { kind: 'final', epoch: 0, view: header.view, block } as const;
    const seats = Array.from({ length: quorum(this.genesis.seats.length) }, (_, seat) => seat);
    const signatures = seats.map((seat) =>
      this.keys.seat(seat).sign(voteMessage(this.rules.network, subject, seat)),
    );
    return { ...subject, seats, signatures };
  }

  /** What a node that ran everything would gather for a receipt. */
  pieces(id: Uint8Array, finalHeight = this.chains.length - 1): ReceiptPieces {
    const final = this.chains[finalHeight]!;
    const record = new StateCursor(final.map).job(id);
    return {
      genesis: this.genesis,
      jobId: id,
      final: final.header,
      certificate: this.certificate(finalHeight),
      map: final.map,
      history: {
        hash: (height) => this.chains[height]?.hash ?? null,
        subtree: () => null,
      },
      header: (height) => this.chains[height]?.header ?? null,
      statementHeights: this.chains
        .map(({ header }) => header.height)
        .filter((height) => record !== null && height > record.includedHeight)
        .filter((height) => height <= (record?.ended ?? 0)),
      body: (height) => this.bodies[height] ?? null,
      lanes: (record?.lanes ?? []).map(
        ({ claim }) =>
          (claim && this.#pieces.get(pieceKey(id, claim))) ?? {
            leaves: [],
            value: null,
          },
      ),
      program: this.jobs.get(hex(id))!.program.program,
    };
  }
}

function pieceKey(id: Uint8Array, { laneRoot: root, valueCid }: LaneClaim): string {
  return `${hex(id)}/${hex(root)}/${valueCid === null ? '' : hex(valueCid)}`;
}

/** A world with fake keys. */
export function fakeWorld(seats: number, seed = 1): LedgerWorld {
  const keys = fakeKeys(seed);
  const listed = Array.from({ length: seats }, (_, index) => {
    const { publicKey, vrfPublicKey, vrfProve } = keys.seat(index);
    const possession = vrfPossession({ publicKey, vrfPublicKey, vrfProve });
    return { publicKey, vrfPublicKey, possession };
  });
  return new LedgerWorld(keys, {
    version: protocolVersion,
    nonce: hash('dev', 'nonce', seed),
    timeMs: startMs,
    parameters: devParameters,
    seats: listed,
    accounts: [{ key: keys.account(0).publicKey, tokens: 10n ** 15n }],
    contracts: 'fees',
  });
}

export const smallProgram: WorldProgram = { program: utf8('a program of a few bytes') };
