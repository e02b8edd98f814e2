/** Check that a receipt's record is final: network, votes, record and headers. */
import { mark } from '../assert.ts';
import { hex, sameBytes } from '../brand.ts';
import { tryDecode } from '../codec/codec.ts';
import { checkCertificate } from '../consensus/message.ts';
import type { Digest } from '../crypto/hash.ts';
import type { CryptoSuite } from '../crypto/suite.ts';
import { jobId } from '../job/job.ts';
import { type Genesis, genesisCodec, networkId, seatSetHash } from '../ledger/genesis.ts';
import { type Header, headerHash } from '../ledger/header.ts';
import { type JobPlan, type JobRecord, recordCodec } from '../ledger/record.ts';
import { stateKeys } from '../ledger/state.ts';
import { verifyInclusion } from '../merkle/list.ts';
import { verifyMapProof } from '../merkle/proof.ts';
import { protocolVersion } from '../params.ts';
import { fails, holds, type Ruling, untold } from './finding.ts';
import { neededHeights } from './heights.ts';
import { genesisHeader } from './network.ts';
import type { Receipt } from './receipt.ts';
import { isDevGenesis, sameSeats, type Trust } from './trust.ts';

/** The network that a receipt or a state proof is of. */
export type Network = {
  readonly genesis: Genesis;
  readonly id: Digest;
  readonly seatSet: Digest;
  readonly suite: CryptoSuite;
  /** Whether the reader believes in it. */
  readonly known: boolean;
};

/** @see spec/protocol/receipt.md V12 to V15 */
export function checkNetwork(
  carried: Pick<Receipt, 'genesis'>,
  trust: Trust | null,
  suite: CryptoSuite,
): Ruling<Network> {
  const genesis = tryDecode(genesisCodec, carried.genesis);
  if (genesis === null) {
    mark('V13');
    return fails('AUDIT_GENESIS', 'the genesis in it cannot be decoded');
  }
  const id = networkId(genesis);
  const network = { genesis, id, seatSet: seatSetHash(0, genesis.seats), suite };
  const name = `network ${short(id)} of ${genesis.seats.length} seats`;
  const unknown = (code: string, because: string): Ruling<Network> => {
    mark('V14');
    return untold(code, because, { ...network, known: false });
  };
  if (genesis.version !== protocolVersion)
    return unknown('AUDIT_NETWORK_VERSION', `${name} is of version ${genesis.version}`);
  if (trust === null)
    return unknown('AUDIT_NO_TRUST', `it is of ${name}, and no trust file says which to believe`);
  if (trust.kind === 'dev') {
    mark('V12');
    if (!isDevGenesis(genesis))
      return unknown('AUDIT_OTHER_NETWORK', `${name} is not a development network`);
    mark('V15');
    const because = `${name}; dev keys are public: this proves the arithmetic, not who did it`;
    return holds(because, { ...network, known: true });
  }
  if (!sameBytes(trust.network, id))
    return unknown(
      'AUDIT_OTHER_NETWORK',
      `${name}, but the trust file is of ${short(trust.network)}`,
    );
  const agrees =
    sameBytes(trust.headerHash, headerHash(genesisHeader(genesis))) &&
    sameSeats(trust.seats, genesis.seats);
  if (!agrees)
    return unknown(
      'AUDIT_TRUST_CONTRADICTION',
      `the trust file names ${name}, but not its header and seats`,
    );
  mark('V15');
  return holds(`${name}, as in the trust file`, { ...network, known: true });
}

/** The first digits of a digest, for people. */
export function short(digest: Uint8Array): string {
  return hex(digest).slice(0, 12);
}

/** @see spec/protocol/receipt.md V16, V17 */
export function checkFinality(
  { final, votes }: Pick<Receipt, 'final' | 'votes'>,
  network: Network,
): Ruling<Header> {
  const strange = foreign(final, network);
  if (strange !== null) {
    mark('V16');
    return fails('AUDIT_FINAL_HEADER', `the final header ${strange}`);
  }
  const { seats } = network.genesis;
  const block = headerHash(final);
  const wrong = checkCertificate(
    {
      kind: 'final',
      epoch: final.epoch,
      view: final.view,
      block,
      seats: votes.map(({ seat }) => seat),
      signatures: votes.map(({ signature }) => signature),
    },
    {
      network: network.id,
      epoch: 0,
      seats: seats.length,
      verify: (seat, message, signature) =>
        network.suite.verify(seats[seat]!.publicKey, message, signature),
    },
  );
  if (wrong !== null) {
    mark('V16');
    return fails('AUDIT_CERTIFICATE', `the Final votes for height ${final.height}: ${wrong}`);
  }
  mark('V17');
  return holds(
    `${votes.length} of ${seats.length} seats signed height ${final.height}, ${short(block)}, as final`,
    final,
  );
}

/** What makes a header one of another network or epoch, or null. */
function foreign({ network, epoch, seatSetHash: seats }: Header, known: Network): string | null {
  if (!sameBytes(network, known.id)) return 'is of another network';
  if (epoch !== 0) return `is of epoch ${epoch}, but there is only epoch 0`;
  if (!sameBytes(seats, known.seatSet)) return 'names another seat set';
  return null;
}

/** The job as the final state has it. */
export type ProvedRecord = {
  readonly id: Digest;
  readonly record: JobRecord;
  readonly plan: JobPlan;
  readonly ended: number;
};

/** @see spec/protocol/receipt.md V18, V19 */
export function checkRecord(receipt: Receipt, final: Header): Ruling<ProvedRecord> {
  const id = jobId(receipt.job.job);
  const wrong = (code: string, because: string): Ruling<never> => {
    mark('V18');
    return fails(code, because);
  };
  if (!verifyMapProof(final.stateRoot, stateKeys.job(id), receipt.record, receipt.recordProof))
    return wrong('AUDIT_RECORD_PROOF', `the final state has no such record of job ${short(id)}`);
  const record = tryDecode(recordCodec, receipt.record);
  if (record === null) return wrong('AUDIT_RECORD', 'the record of the job cannot be decoded');
  const { plan, ended, lanes, state } = record;
  if (plan === null || ended === null || (state !== 'settled' && state !== 'failed'))
    return wrong('AUDIT_JOB_UNFINISHED', `the job is ${state}: such a job has no receipt`);
  const whole =
    record.includedHeight >= 1 &&
    lanes.length === plan.lanes &&
    ended === Math.max(...lanes.map(({ closed }) => closed ?? Number.POSITIVE_INFINITY)) &&
    lanes.every(
      ({ outcome, claim, waves }) =>
        outcome === 'accepted' &&
        claim !== null &&
        waves.length > 0 &&
        waves.every(({ base }) => base >= 1),
    ) &&
    ended <= final.height;
  if (!whole)
    return wrong('AUDIT_RECORD', 'the record does not tell of lanes that were all accepted');
  const failed = lanes.some(({ claim }) => claim!.valueCid === null);
  const [end, reason] = failed ? ['failed', 'JOB_ITEM_FAILED'] : ['settled', 'JOB_SETTLED'];
  if (state !== end || record.reason !== reason)
    return wrong('AUDIT_RECORD', `the record says ${state}, but its lanes say ${end}`);
  mark('V19');
  const fuel = lanes.reduce((sum, { claim }) => sum + claim!.mapFuel, 0n);
  const because =
    `job ${short(id)} is ${state} since height ${ended}, by the final state root; ` +
    `one execution of its items took ${fuel} units of fuel`;
  return holds(because, { id, record, plan, ended });
}

/** The header of a height that the receipt rests on. */
export type HeaderAt = (height: number) => Header;

/** @see spec/protocol/receipt.md V20, V21 */
export function checkHistory(
  receipt: Receipt,
  network: Network,
  { record, ended }: ProvedRecord,
): Ruling<HeaderAt> {
  const { final, headers } = receipt;
  const wrong = (because: string): Ruling<never> => {
    mark('V20');
    return fails('AUDIT_HISTORY', because);
  };
  const needed = neededHeights({ record, ended, anchorHeight: receipt.job.job.anchorHeight });
  if (needed.at(-1)! > final.height) return wrong('the record tells of blocks above the final one');
  const below = needed.filter((height) => height < final.height);
  const carried = headers.map(({ header }) => header.height);
  if (below.length !== carried.length || below.some((height, at) => height !== carried[at]))
    return wrong(`needs the headers ${below.join(' ')}, but carries ${carried.join(' ')}`);
  const first = genesisHeader(network.genesis);
  const known = new Map<number, Header>([
    [0, first],
    [final.height, final],
  ]);
  const proved = [{ header: first, proof: receipt.genesisProof }, ...headers];
  for (const { header, proof } of proved) {
    const { height } = header;
    const strange = foreign(header, network);
    if (strange !== null) return wrong(`the header of height ${height} ${strange}`);
    const claim = { root: final.historyRoot, size: final.height, index: height, proof };
    if (!verifyInclusion({ ...claim, leaf: headerHash(header) }))
      return wrong(`the header of height ${height} is not under the history root of the final one`);
    known.set(height, header);
  }
  mark('V21');
  return holds(
    `header 0 and ${headers.length} others lie under the history root of height ${final.height}`,
    (height) => known.get(height)!,
  );
}
