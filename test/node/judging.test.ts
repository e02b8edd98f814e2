// Goal: one certificate of a subject goes round, not one of each seat; and none is lost for good.
// Method: certificates of the laboratory with different voters, and a clock that the test holds.
import { expect, test } from 'vitest';
import { judging } from '../../node/judging.ts';
import { type Certificate, voteMessage } from '../../protocol/consensus/message.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { ballotCodec } from '../../protocol/replica/wire.ts';
import { laboratory } from '../simulation/lone.ts';

const lab = laboratory(4);
const { network, genesis, block } = lab;

/** A certificate for a block of view 1 by these seats; `bent` has a signature that is none. */
function certificate(seats: readonly number[], about = first.hash, bent = false): Uint8Array {
  const subject = { kind: 'notar', epoch: 0, view: 1, block: about } as const;
  const signatures = seats.map((seat) =>
    bent
      ? new Uint8Array(64)
      : network.keys(seat).sign(voteMessage(network.rules.network, subject, seat)),
  );
  const made: Certificate = { ...subject, seats, signatures };
  return ballotCodec.encode({ kind: 'certificate', certificate: made });
}
const first = block(genesis, 1);

test('the second certificate of a subject is ignored, until a while has passed', () => {
  let now = 1_000;
  const judge = judging(network.rules, () => now);
  expect(judge('votes', certificate([0, 1, 2])).verdict).toBe('accept');
  expect(judge('votes', certificate([1, 2, 3]))).toEqual({
    verdict: 'ignore',
    code: 'CERTIFICATE_KNOWN',
  });
  now += 4_999;
  expect(judge('votes', certificate([0, 2, 3])).verdict).toBe('ignore');
  now += 1;
  expect(judge('votes', certificate([0, 2, 3])).verdict).toBe('accept');
});

test('another subject, a false certificate before a good one, and votes are judged as ever', () => {
  const judge = judging(network.rules, () => 0);
  expect(judge('votes', certificate([0, 1, 2], first.hash, true)).verdict).toBe('reject');
  expect(judge('votes', certificate([0, 1, 2])).verdict).toBe('accept');
  expect(judge('votes', certificate([0, 1, 2], hash('dev', 'other'))).verdict).toBe('accept');
  const subject = { kind: 'notar', epoch: 0, view: 1, block: first.hash } as const;
  const signature = network.keys(3).sign(voteMessage(network.rules.network, subject, 3));
  const vote = ballotCodec.encode({ kind: 'vote', vote: { ...subject, seat: 3, signature } });
  expect(judge('votes', vote).verdict).toBe('accept');
  expect(judge('votes', vote).verdict).toBe('accept');
  expect(judge('votes', Uint8Array.of(1)).verdict).toBe('reject');
});
