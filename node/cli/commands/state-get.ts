/** Show what the state holds under a key, and keep the proof of it. */
import { sameBytes, unhex } from '../../../protocol/brand.ts';
import { formatStateKey } from '../../../protocol/ledger/key.ts';
import { stateKeys } from '../../../protocol/ledger/state.ts';
import type { Client } from '../../client/http.ts';
import { type Context, defineCommand } from '../command.ts';
import { askNode, nodeOptions } from '../connect.ts';
import { CliError, exitCodes, usageError } from '../error.ts';
import { entryDocument, entryWords } from '../state-entry.ts';
import { checkTarget, writeTarget } from '../target.ts';

export const stateGet = defineCommand({
  name: 'state get',
  summary: 'Show what the last final state holds under a key, and keep the proof of it.',
  examples: [
    ['anwansi state get seat/0', 'On the word of the node.'],
    [
      'anwansi state get account/2f… --proof account.proof --trust trust.json',
      'With a proof that `anwansi verify` checks offline.',
    ],
  ],
  arguments: {
    key: {
      kind: 'text',
      describe: 'job/HEX, account/HEX, seat/N, lane/HEX/N, recent/N, open, ordered, or plain hex.',
    },
  },
  options: {
    ...nodeOptions,
    proof: { kind: 'path', placeholder: 'FILE', describe: 'Where the proof goes.' },
    trust: {
      kind: 'text',
      placeholder: 'FILE|dev',
      describe: 'By what the proof is audited; the trust file of the node itself unless given.',
    },
  },
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const key = parseKey(values.key);
      if (values.proof !== undefined)
        return proved(client, key, values.proof, values.trust, context);
      if (values.trust !== undefined)
        throw usageError('--trust is for a proof', 'Add --proof FILE.');
      const { output, signal } = context;
      const entry = await client.state(key, { signal });
      const value = entry.value === null ? null : unhex(entry.value);
      const { height, stateRoot } = entry;
      const document = {
        key: formatStateKey(key),
        value: entry.value,
        entry: entryDocument(key, value, height),
        height,
        stateRoot,
        proof: null,
      };
      output.note(`on the word of the node, at height ${height}; prove it with --proof FILE`);
      output.result(document, entryWords(key, value, height));
      return undefined;
    }),
});

/** The key that a text means; one text for each, as keys are shown. @throws CliError USAGE */
export function parseKey(text: string): Uint8Array {
  const key = keyOf(text.split('/'));
  if (key !== null && formatStateKey(key) === text) return key;
  throw usageError(
    `${text} is no key of the state`,
    'Write job/HEX, account/HEX, seat/N, lane/HEX/N, recent/N, open, ordered, or bytes in hex.',
  );
}

function keyOf([kind = '', name = '', place = '']: readonly string[]): Uint8Array | null {
  const number = /^\d{1,15}$/.test(place === '' ? name : place) ? Number(place || name) : null;
  const bytes = unhex(name);
  const named = bytes === null || bytes.length === 0 ? null : bytes;
  switch (kind) {
    case 'job':
      return named && stateKeys.job(named);
    case 'account':
      return named && stateKeys.account(named);
    case 'lane':
      return named === null || number === null ? null : stateKeys.lane(named, number);
    case 'seat':
      return number === null ? null : stateKeys.seat(number);
    case 'recent':
      return number === null ? null : stateKeys.recent(number);
    case 'open':
      return stateKeys.open();
    case 'ordered':
      return stateKeys.ordered();
    default:
      return kind === '' ? null : unhex(kind);
  }
}

async function proved(
  client: Client,
  key: Uint8Array,
  file: string,
  trustName: string | undefined,
  context: Context,
): Promise<undefined> {
  await checkTarget(file);
  const [{ chosenTrust, trustWord }, { auditStateProof }, { nativeSuite }, { stateDocument }] =
    await Promise.all([
      import('../remote-job.ts'),
      import('../../../protocol/receipt/state-audit.ts'),
      import('../../crypto.ts'),
      import('../state-verdict.ts'),
    ]);
  const { output, signal } = context;
  const trust = await chosenTrust(client, trustName, context);
  const bytes = await client.stateProof(key, { signal });
  const audit = auditStateProof(bytes, trust, { suite: nativeSuite });
  const entry = audit.proved;
  if (entry === null) {
    const deciding = audit.findings.find(({ code }) => code === audit.code);
    const because = deciding?.because ?? audit.verdict;
    const exit = audit.verdict === 'refuted' ? exitCodes.refuted : exitCodes.inconclusive;
    throw refuted(audit.code ?? 'CLIENT_PROOF_OTHER', because, exit);
  }
  if (!sameBytes(entry.key, key))
    throw refuted('CLIENT_PROOF_OTHER', `it is of ${formatStateKey(entry.key)}`);
  await writeTarget(file, bytes);
  const again = `anwansi verify ${file} --trust ${trustWord(trust, trustName)}`;
  output.note(`proof ${file}, height ${entry.height}; check it offline: ${again}`);
  output.result(
    { ...stateDocument(audit), proof: { file, bytes: bytes.length } },
    entryWords(key, entry.value, entry.height),
  );
  return undefined;
}

function refuted(code: string, because: string, exitCode: 4 | 5 = exitCodes.refuted): CliError {
  return new CliError({
    code,
    message: `what the node gave is no proof of this key: ${because}`,
    hint: 'Ask another node; this one is at fault, or not on the network that you trust.',
    exitCode,
  });
}
