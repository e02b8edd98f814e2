/** Say what a disk must hold of a node's life so far, whatever moment the power went. */
import { readKept } from '../../node/kept.ts';
import type { Bucket, Store } from '../../node/ports.ts';
import { readHeight } from '../../node/records.ts';
import { readSubmission } from '../../node/submissions.ts';
import { hex, sameBytes } from '../../protocol/brand.ts';
import type { Codec } from '../../protocol/codec/codec.ts';
import { type Vote, voteCodec, votesOf } from '../../protocol/consensus/message.ts';
import { type SignedStatement, signedStatementCodec } from '../../protocol/job/statement.ts';
import type { ChainState } from '../../protocol/ledger/chain.ts';
import { type Header, headerHash } from '../../protocol/ledger/header.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { boot } from '../../protocol/replica/boot.ts';
import { readGossip } from '../../protocol/replica/judge.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import { sealedBlockCodec } from '../../protocol/replica/wire.ts';
import type { SimulatedNetwork } from '../simulation/network.ts';
import type { Said, Witness } from './crash-world.ts';

/** A node's own words among what left it. */
export type Words = {
  readonly votes: readonly Vote[];
  readonly statements: readonly SignedStatement[];
  readonly proposals: readonly Header[];
};

export function ownWords(seat: number, said: readonly Said[]): Words {
  const votes: Vote[] = [];
  const statements: SignedStatement[] = [];
  const proposals: Header[] = [];
  for (const { topic, bytes } of said) {
    const message = readGossip(topic, bytes);
    if (message?.topic === 'votes') {
      const { ballot } = message;
      const all = ballot.kind === 'vote' ? [ballot.vote] : votesOf(ballot.certificate);
      votes.push(...all.filter((vote) => vote.seat === seat));
    }
    if (message?.topic === 'statements' && message.signed.statement.seat === seat)
      statements.push(message.signed);
    if (message?.topic === 'proposals' && message.proposal.header.proposer === seat)
      proposals.push(message.proposal.header);
  }
  return { votes, statements, proposals };
}

/** One moment at which the disk may have stopped. */
export type Moment = {
  readonly network: SimulatedNetwork;
  readonly seat: number;
  readonly disk: Store;
  /** What had left by then, and what it had been through. */
  readonly words: Words;
  readonly witness: Witness;
  /** The least height that the disk must hold as final. */
  readonly heightMin: number;
  readonly acknowledged: readonly Uint8Array[];
  readonly now: number;
};

const voteName = ({ kind, view, block }: Vote): string => `${kind}/${view}/${hex(block)}`;
const statementName = (one: SignedStatement): string => hex(signedStatementCodec.encode(one));

/** The laws that a disk breaks, each by its name; none for a good one. */
export async function brokenLaws(moment: Moment): Promise<ReadonlySet<string>> {
  const broken = new Set<string>();
  await checkDurable(moment, broken);
  for (const id of moment.acknowledged)
    if ((await readSubmission(moment.disk, id)) === null) broken.add('acknowledged');
  const begun = await started(moment, broken);
  if (begun === null) return broken;
  await checkFinal(moment, begun.final, broken);
  checkGoesOn(moment, begun.state, broken);
  return broken;
}

/** Everything that left is on the disk, byte by byte. */
async function checkDurable({ disk, words }: Moment, broken: Set<string>): Promise<void> {
  const names = async <T>(bucket: Bucket, { decode }: Codec<T>, name: (one: T) => string) =>
    new Set((await disk.range(bucket, {})).map(([, value]) => name(decode(value))));
  const votes = await names('vote', voteCodec, voteName);
  if (!words.votes.every((vote) => votes.has(voteName(vote)))) broken.add('votes durable');
  const statements = await names('statement', signedStatementCodec, statementName);
  if (!words.statements.every((one) => statements.has(statementName(one))))
    broken.add('statements durable');
  const blocks = await names('proposal', sealedBlockCodec, ({ header }) => hex(headerHash(header)));
  if (!words.proposals.every((header) => blocks.has(hex(headerHash(header)))))
    broken.add('proposals durable');
}

async function started(
  moment: Moment,
  broken: Set<string>,
): Promise<{ readonly state: ReplicaState; readonly final: ChainState | null } | null> {
  const { network, seat, disk, now } = moment;
  const paces = { repeatMs: 1_000, retryMs: 300, standstillMs: 3_000 };
  const setup = { ledger: network.rules, seat, keys: network.keys(seat), ...paces };
  try {
    const kept = await readKept(disk, 'the store in memory');
    return { state: boot(setup, kept, now).state, final: kept.final };
  } catch (error) {
    broken.add((error as { code?: string }).code ?? `no start: ${String(error)}`);
    return null;
  }
}

/** The final chain is one that it had, as late as was durable, and can be served. */
async function checkFinal(
  { disk, witness, heightMin }: Moment,
  final: ChainState | null,
  broken: Set<string>,
): Promise<void> {
  const height = final?.header.height ?? 0;
  if (height < heightMin) broken.add('final kept');
  if (final === null) return;
  if (witness.finals.get(height) !== hex(final.hash)) broken.add('final was final');
  if ((await readHeight(disk, final.hash)) !== height) broken.add('final found by hash');
}

/** It stands where it stood: in its view, with what it voted for, said and was drawn for. */
function checkGoesOn({ seat, words }: Moment, state: ReplicaState, broken: Set<string>): void {
  const { engine, finalRef, tree, orphans, said, proposed, jobs, final } = state;
  for (const vote of words.votes) {
    if (vote.view <= Math.max(finalRef.view, engine.root.view)) continue;
    const own = engine.own.get(vote.view)?.[vote.kind];
    if (own == null || !sameBytes(own.block, vote.block)) broken.add('votes said again');
    if (vote.kind !== 'final' && engine.view < vote.view) broken.add('view goes on');
    if (vote.kind !== 'notar') continue;
    const id = hex(vote.block);
    if ((tree.get(id) ?? orphans.get(id))?.items == null) broken.add('voted bodies');
  }
  for (const { view } of words.proposals)
    if (view > finalRef.view && !proposed.has(view)) broken.add('proposed once');
  const cursor = new StateCursor(final.map);
  const again = new Set([...said.values()].map(statementName));
  for (const one of words.statements) {
    const record = cursor.job(one.statement.job);
    if (record !== null && record.ended === null && one.statement.seat === seat) {
      // A lane that closed has nothing to say any more: its duty is dropped with its words.
      const lane = cursor.lane(one.statement.job, one.statement.lane);
      if (lane?.outcome === 'open' && !again.has(statementName(one)))
        broken.add('statements said again');
    }
  }
  for (const id of cursor.open()) if (!jobs.has(hex(id))) broken.add('open jobs known');
}
