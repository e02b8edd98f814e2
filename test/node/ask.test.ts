// Goal: a peer that has nothing, says something else, or fails does not end a question.
// Method: peers that answer by hand, asked in the order that chance gives, many times.
import { expect, test } from 'vitest';
import { askPeers, type Question } from '../../node/ask.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import { NetworkError } from '../../node/network/error.ts';
import type { Network } from '../../node/ports.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { type SyncResponse, syncResponseCodec } from '../../protocol/replica/wire.ts';
import { laboratory } from '../simulation/lone.ts';
import { past, truth } from '../simulation/sync-liar.ts';

installSha256(nativeSha256);
const lab = laboratory(4);
const history = past(lab, 4);
const nothing: Readonly<Record<string, SyncResponse>> = {
  block: { kind: 'block', block: null },
  certificates: { kind: 'certificates', certificates: [] },
  final: { kind: 'final', blocks: [], certificate: null },
};

const networkOf = (answers: Readonly<Record<string, () => SyncResponse>>): Network => ({
  self: 'self',
  start: async () => undefined,
  stop: async () => undefined,
  publish: () => undefined,
  peers: () => Object.keys(answers),
  request: async (peer) => syncResponseCodec.encode(answers[peer]!()),
});

const questions: readonly Question['request'][] = [
  { kind: 'block', hash: history.made[1]!.hash },
  { kind: 'final', from: 2 },
];

test.each(questions)('one of three peers has the answer to $kind', async (request) => {
  const known = truth(history, request);
  const network = networkOf({
    empty: () => nothing[request.kind]!,
    mad: () => nothing.certificates!,
    knows: () => known,
  });
  for (let turn = 0; turn < 20; turn++) {
    const prefer = turn % 2 === 0 ? 'empty' : null;
    const { response } = await askPeers(network, { kind: 'request', id: 1, prefer, request });
    expect(response).toEqual(known);
  }
});

test('certificates that one peer lacks are asked of the next', async () => {
  const { certificate } = truth(history, { kind: 'final', from: 2 }) as {
    certificate: (typeof history.finals)[number];
  };
  const held = { kind: 'certificates', certificates: [certificate] } as const;
  const network = networkOf({ empty: () => nothing.certificates!, knows: () => held });
  const request = { kind: 'certificates', ids: [history.made[0]!.hash] } as const;
  for (let turn = 0; turn < 20; turn++)
    expect(await askPeers(network, { kind: 'request', id: 1, prefer: 'empty', request })).toEqual({
      kind: 'answered',
      id: 1,
      response: held,
    });
});

test('nobody has it: the question comes back with nothing', async () => {
  const gone = (): never => {
    throw new NetworkError({ code: 'NETWORK_STOPPED' } as never);
  };
  const network = networkOf({ gone, empty: () => nothing.final! });
  const request = { kind: 'final', from: 1 } as const;
  expect(await askPeers(network, { kind: 'request', id: 7, prefer: null, request })).toEqual({
    kind: 'answered',
    id: 7,
    response: null,
  });
});
