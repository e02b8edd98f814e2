/** Judge gossip for one node: the protocol's judge, and a memory of certificates. */
import { mark } from '../protocol/assert.ts';
import { hex } from '../protocol/brand.ts';
import { recent } from '../protocol/crypto/recent.ts';
import { ignore, type Verdict } from '../protocol/errors.ts';
import type { LedgerRules } from '../protocol/ledger/chain.ts';
import { judgeGossip, readGossip } from '../protocol/replica/judge.ts';
import type { Topic } from './ports.ts';

/** Subjects of certificates that are remembered. */
const subjectCountMax = 4_096;
/** Milliseconds for which one certificate of a subject is enough. */
const enoughMs = 5_000;

/**
 * A judge that lets one certificate of each subject through for a while. Every seat makes one of
 * its own, with other voters in it, and all say the same: passing on all of them was half of what
 * an idle network sent. After that while another is heard again, should the first have been lost.
 * @see spec/protocol/network.md W42
 */
export function judging(
  rules: LedgerRules,
  now: () => number = () => performance.now(),
): (topic: Topic, bytes: Uint8Array) => Verdict {
  const accepted = recent<number>(subjectCountMax);
  return (topic, bytes) => {
    if (topic !== 'votes') return judgeGossip(topic, bytes, rules);
    const message = readGossip(topic, bytes);
    if (message?.topic !== 'votes' || message.ballot.kind !== 'certificate')
      return judgeGossip(topic, bytes, rules);
    const { kind, epoch, view, block } = message.ballot.certificate;
    const subject = `${kind}/${epoch}/${view}/${hex(block)}`;
    const at = accepted.get(subject);
    if (at !== undefined && now() - at < enoughMs) {
      mark('W42');
      return ignore('CERTIFICATE_KNOWN');
    }
    const verdict = judgeGossip(topic, bytes, rules);
    if (verdict.verdict === 'accept') accepted.set(subject, now());
    return verdict;
  };
}
