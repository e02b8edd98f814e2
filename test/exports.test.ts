// Goal: what other programs import is a list that somebody decided on, not what happened to be there.
// Method: the names, types included, are read from the two entries and compared with the list below.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as core from '../protocol/index.ts';
import * as verify from '../protocol/verify.ts';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');

/** Names that a file exports from others: values, and types. */
function exported(text: string): { readonly values: string[]; readonly types: string[] } {
  const values: string[] = [];
  const types: string[] = [];
  for (const [, front = '', names = ''] of text.matchAll(/^export( type)? \{([^}]*)\} from '/gm))
    for (const name of names.split(',').map((one) => one.trim()))
      if (front !== '' || name.startsWith('type ')) types.push(name.replace(/^type /, ''));
      else if (name !== '') values.push(name);
  return { values: values.sort(), types: types.filter((name) => name !== '').sort() };
}

const coreValues = [
  ...['CodecError', 'ProtocolError', 'SamplingError', 'StateCursor', 'acceptTable', 'admitJob'],
  ...['admitProgram', 'adversarialSeats', 'applyBlock', 'blobCid', 'blockItemCodec', 'boot'],
  ...['cutInput', 'defaultAdversary', 'depthLimit', 'describeJob', 'devParameters', 'draftBlock'],
  ...['drawPlan', 'formatCid', 'formatRatio', 'formatStateKey', 'genesisChain', 'genesisCodec'],
  ...['hash', 'headerCodec', 'headerHash', 'hex', 'inclusionProof', 'installSha256', 'instrument'],
  ...['issueReceipt', 'issueStateProof', 'itemsRoot', 'jobCodec', 'jobId', 'judgeGossip'],
  ...['laneSubtasks', 'ledgerRules', 'listBlob', 'listRoot', 'mapGet', 'mapRoot', 'networkId'],
  ...['nothingKept', 'packProgram', 'parseCid', 'parseDecimal', 'portableKeys', 'portableSuite'],
  ...['programManifest', 'protocolLimits', 'protocolName', 'protocolVersion', 'proveKey', 'ratio'],
  ...['readStateEntry', 'receiptCodec', 'recordCodec', 'runOutcome', 'serveFromMemory', 'sha256'],
  ...['signedJobCodec', 'signedMessage', 'signedStatementCodec', 'stateKeys', 'stateProofCodec'],
  ...['statementMessage', 'step', 'subtaskItems', 'tryDecode', 'unhex', 'verifyInclusion'],
  ...['verifyMapProof'],
];
const coreTypes = [
  ...['Admission', 'Applied', 'BlockItem', 'BlockSeal', 'ChainState', 'Cid', 'Codec', 'CodecOf'],
  ...['Contracts', 'CryptoSuite', 'Digest', 'Draft', 'DrawPlan', 'Duty', 'Effect', 'Genesis'],
  ...['Header', 'Hex', 'Input', 'InstrumentLimits', 'InstrumentOptions', 'Instrumented'],
  ...['ItemRange', 'Job', 'JobEnd', 'JobRecord', 'JobRules', 'JobState', 'JobTerms', 'Kept'],
  ...[
    'LaneClaim',
    'LaneOutcome',
    'LeadingClaim',
    'LedgerRules',
    'Manifest',
    'MapProof',
    'NetworkParameters',
  ],
  ...['ProvisionalJob', 'ProvisionalLane', 'Ratio', 'Receipt', 'ReceiptPieces', 'ReplicaSetup'],
  ...['ReplicaState', 'RunEnd', 'RunOutcome', 'Seat', 'SeatKeys', 'Settlement', 'SignedJob'],
  ...['SignedStatement', 'StateMap', 'StateProof', 'StateProofPieces', 'StateReading', 'Statement'],
  ...['Stepped', 'Topic', 'Verdict'],
];
const verifyValues = [
  ...['ProtocolError', 'ReceiptError', 'StateProofError', 'TrustError', 'assuranceSentence'],
  ...['auditReceipt', 'auditStateProof', 'checks', 'concludeAudit', 'devPolicy', 'devTrust'],
  ...['failureSentence', 'formatCid', 'formatRatio', 'formatStateKey', 'formatTrust', 'hex'],
  ...['installSha256', 'nothingRun', 'parseCid', 'parseReceipt'],
  ...['parseStateProof', 'parseTrust', 'portableSuite', 'proofKindOf', 'readStateEntry'],
  ...['receiptBytesMax', 'receiptCodec', 'stateChecks', 'stateProofBytesMax', 'stateProofCodec'],
  ...['unhex'],
];

test('the core exports the names that were decided on, and no other', () => {
  const { values, types } = exported(read('protocol/index.ts'));
  expect(values).toEqual(coreValues);
  expect(Object.keys(core).sort()).toEqual(coreValues);
  expect(types).toEqual(coreTypes);
});

test('the auditor exports the names that were decided on, and no other', () => {
  expect(exported(read('protocol/verify.ts')).values).toEqual(verifyValues);
  expect(Object.keys(verify).sort()).toEqual(verifyValues);
});

test('the package names both entries, and a name that both have is one thing', () => {
  const { exports } = JSON.parse(read('package.json'));
  expect(exports).toMatchObject({ '.': './protocol/index.ts', './verify': './protocol/verify.ts' });
  const all = new Map<string, unknown>(Object.entries(core));
  const both = Object.entries(verify).filter(([name]) => all.has(name));
  expect(both.length).toBeGreaterThan(5);
  for (const [name, value] of both) expect(all.get(name), name).toBe(value);
});

test('a name more, a name less and a name turned into a type are told', () => {
  const text = "export { a, type B } from './x.ts';\nexport type { C } from './y.ts';\n";
  expect(exported(text)).toEqual({ values: ['a'], types: ['B', 'C'] });
  expect(exported(text.replace('a,', 'a, d,')).values).toEqual(['a', 'd']);
  expect(exported(text.replace('a,', 'type a,'))).toEqual({ values: [], types: ['B', 'C', 'a'] });
  expect(exported("export {\n  a,\n  type B,\n} from './x.ts';")).toEqual({
    values: ['a'],
    types: ['B'],
  });
});
