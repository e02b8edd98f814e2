// Goal: what is withdrawn is said no more; what a quorum made final is not proved a second time.
// Method: one replica in a laboratory that holds all keys, and a block whose beacon is not proved.
import { expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import { headerHash, proposalMessage } from '../../protocol/ledger/header.ts';
import { wantFinal } from '../../protocol/replica/want.ts';
import { laboratory, linesBut, lone, only } from '../simulation/lone.ts';
import { simulatedJob } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('replica', linesBut(69, 70));

const lab = laboratory(4);
const { network, genesis, block, certificate } = lab;
const job = (nonce: bigint): SignedJob => simulatedJob(network, genesis.header, { nonce });

test('a stretch that a quorum made final costs no VRF, a block that comes alone does', () => {
  const first = block(genesis, 1);
  const bent = {
    ...first.sealed,
    header: { ...first.sealed.header, vrfProof: new Uint8Array(80) },
  };
  const hash = headerHash(bent.header);
  const signer = network.keys(bent.header.proposer);
  const sealed = { ...bent, signature: signer.sign(proposalMessage(bent.header)) };
  const final = certificate('final', 1, hash);
  const one = lone(lab);
  one.certified(final);
  const stretch = { kind: 'final', blocks: [sealed], certificate: final } as const;
  wantFinal(one.state());
  one.tick();
  one.answer('final', stretch);
  expect(one.state().final.header.height).toBe(1);
  const two = lone(lab);
  two.certified(final);
  two.answer(`block/${hex(hash)}`, { kind: 'block', block: sealed });
  expect(two.state().final.header.height).toBe(0);
  expect([...two.state().tree.values()].map(({ fault }) => fault)).toEqual(['BLOCK_VRF']);
});

test('a withdrawn job is announced and offered no more, until somebody else tells of it', () => {
  const one = lone(lab);
  const signed = job(1n);
  one.feed({ kind: 'submitted', signed });
  one.feed({ kind: 'withdrawn', job: jobId(signed.job) });
  expect(one.state().pool.jobs.size).toBe(0);
  expect(only(one.tick(1_000), 'publish').filter(({ topic }) => topic === 'jobs')).toEqual([]);
  one.feed({ kind: 'withdrawn', job: jobId(job(2n).job) });
  one.feed({ kind: 'submitted', signed });
  expect(one.state().pool.jobs.size).toBe(1);
});
