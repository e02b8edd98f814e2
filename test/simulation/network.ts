/** Build a simulated network's genesis and jobs, with keys that only the world can use. */
import { fees } from '../../contracts-sim/fees.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import { vrfPossession } from '../../protocol/crypto/vrf.ts';
import { type Job, jobCodec, type SignedJob } from '../../protocol/job/job.ts';
import { type LedgerRules, ledgerRules } from '../../protocol/ledger/chain.ts';
import { devParameters, type Genesis } from '../../protocol/ledger/genesis.ts';
import type { Header } from '../../protocol/ledger/header.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import { rawCid } from '../../protocol/merkle/cid.ts';
import { costTableVersion, rewriterVersion } from '../../protocol/params.ts';
import { simulatedCrypto } from './crypto.ts';
import { simulatedLimits } from './lane.ts';

/** Index of the account that submits jobs, and of one that has no tokens. */
const submitterIndex = 1_000;
const strangerIndex = 2_000;

/** A simulated network: rules that all replicas share, and keys by seat. */
export type SimulatedNetwork = {
  readonly rules: LedgerRules;
  readonly keys: ReturnType<typeof simulatedCrypto>['keys'];
  readonly startMs: number;
};

export function simulatedNetwork(seats: number, seed: number): SimulatedNetwork {
  const { suite, keys } = simulatedCrypto(hash('dev', 'world', seed));
  const startMs = 1_700_000_000_000;
  const genesis: Genesis = {
    version: 1,
    nonce: hash('dev', 'nonce', seed),
    timeMs: startMs,
    parameters: devParameters,
    seats: Array.from({ length: seats }, (_, index) => {
      const { publicKey, vrfPublicKey } = keys(index);
      return { publicKey, vrfPublicKey, possession: vrfPossession(keys(index)) };
    }),
    accounts: [{ key: keys(submitterIndex).publicKey, tokens: 10n ** 12n }],
    contracts: 'fees',
  };
  return { rules: ledgerRules(genesis, suite, fees), keys, startMs };
}

/** A job over generated items, anchored at a header. */
export function simulatedJob(
  network: SimulatedNetwork,
  anchor: Header,
  change: Partial<Job> = {},
  submitter = submitterIndex,
): SignedJob {
  const keys = network.keys(submitter);
  const job: Job = {
    version: 1,
    rewriter: rewriterVersion,
    costTable: costTableVersion,
    network: network.rules.network,
    submitter: keys.publicKey,
    nonce: 1n,
    program: rawCid(hash('dev', 'program')),
    input: { kind: 'generated', items: 6 },
    cut: 'generated',
    parameters: new Uint8Array(0),
    subtasks: 3,
    tier: 'exact',
    lossExponent: 9,
    adversary: network.rules.genesis.seats.length < 5 ? 'max' : '1/5',
    spare: 0,
    ...simulatedLimits,
    slowItemMs: 10,
    fee: 1n,
    anchorHeight: anchor.height,
    anchorHash: headerHash(anchor),
    includeByMs: anchor.timeMs + 60_000,
    waves: 12,
    ...change,
  };
  const message = signedMessage('job', network.rules.network, jobCodec.encode(job));
  return { job, signature: keys.sign(message) };
}

/** A job of somebody who cannot pay. */
export function strangerJob(
  network: SimulatedNetwork,
  anchor: Header,
  change: Partial<Job> = {},
): SignedJob {
  return simulatedJob(network, anchor, change, strangerIndex);
}
