/** Make the genesis of a network from its validators' public keys. */
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { hex } from '../../../protocol/brand.ts';
import { contractNames, genesisCodec, networkId } from '../../../protocol/ledger/genesis.ts';
import { defineCommand } from '../command.ts';
import { usageError } from '../error.ts';
import { checkAbsent, checkTarget, writeNew, writeTarget } from '../target.ts';

export const genesisNew = defineCommand({
  name: 'genesis new',
  summary: 'Make the genesis of a network from the public keys of its validators.',
  examples: [
    [
      'anwansi genesis new --validator a.json b.json c.json d.json',
      'Four validators, each with the validator.json of `anwansi node init`.',
    ],
    [
      'anwansi genesis new --validator v*.json --account carol.json=1000000',
      'With tokens for whoever submits jobs, by a public part or a public key in hexadecimal.',
    ],
  ],
  options: {
    validator: {
      kind: 'paths',
      placeholder: 'FILE',
      describe: 'Public parts of the validators, at least four; their order is that of the seats.',
    },
    account: {
      kind: 'texts',
      placeholder: 'KEY=TOKENS',
      describe: 'Accounts with tokens from the beginning; KEY may be the file of a public part.',
    },
    contracts: {
      kind: 'text',
      placeholder: 'NAME',
      describe: 'What jobs cost and validators earn.',
      choices: contractNames,
      default: 'fees',
    },
    parameters: {
      kind: 'path',
      placeholder: 'FILE',
      describe: 'TOML file with parameters other than the usual ones, such as heartbeatMs = 5000.',
    },
    begin: {
      kind: 'text',
      placeholder: 'TIME',
      describe: 'When the network begins, such as 2031-05-01T12:00:00Z; now unless given.',
    },
    out: { kind: 'path', placeholder: 'FILE', describe: 'The genesis; genesis.cbor unless given.' },
    trust: {
      kind: 'path',
      placeholder: 'FILE',
      describe: 'What auditors need to believe the network; trust.json unless given.',
    },
    force: { kind: 'flag', describe: 'Replace the files that are there; their network is lost.' },
  },
  run: async ({ output, resolvePath }, values) => {
    if (values.validator.length === 0)
      throw usageError('no validator', 'Name their files: --validator a.json b.json c.json d.json');
    const [{ makeGenesis, readParameters, trustOf, usualPolicy }, { readValidator }] =
      await Promise.all([
        import('../../operator/genesis.ts'),
        import('../../operator/validator-file.ts'),
      ]);
    const out = values.out ?? resolvePath('genesis.cbor');
    const trust = values.trust ?? resolvePath('trust.json');
    if (out === trust)
      throw usageError(`--out and --trust name one file, ${out}`, 'Name two: both are written.');
    for (const file of [out, trust]) await checkTarget(file);
    // A public part in place of a key: nobody has to copy 64 digits.
    const keyedAccount = async (account: string): Promise<string> => {
      const [, file, tokens] = /^(.+)=(\d{1,20})$/.exec(account) ?? [];
      if (file === undefined || !file.endsWith('.json')) return account;
      const { seat } = await readValidator(resolvePath(file));
      return `${hex(seat.publicKey)}=${tokens}`;
    };
    const seats: { name: string; seat: Awaited<ReturnType<typeof readValidator>>['seat'] }[] = [];
    for (const file of values.validator)
      seats.push({ name: basename(file), seat: (await readValidator(file)).seat });
    const genesis = makeGenesis({
      seats,
      accounts: await Promise.all(values.account.map(keyedAccount)),
      contracts: values.contracts,
      parameters: await readParameters(values.parameters ?? null),
      nonce: new Uint8Array(randomBytes(32)),
      timeMs: readTime(values.begin),
    });
    // Both are looked at before one is written.
    if (!values.force) for (const file of [out, trust]) await checkAbsent(file);
    const write = values.force ? writeTarget : writeNew;
    await write(out, genesisCodec.encode(genesis));
    await write(trust, new TextEncoder().encode(trustOf(genesis)));
    const network = hex(networkId(genesis));
    output.note(`made ${out}`);
    output.note(`made ${trust}: ${policyText(usualPolicy)}`);
    output.result(
      { network, genesis: out, trust, seats: seats.length, contracts: genesis.contracts },
      [
        `network ${network}`,
        '',
        'Give the genesis to every validator, and compare the network id with each:',
        `  anwansi node start --genesis ${basename(out)} --peer ADDR`,
      ].join('\n'),
    );
  },
});

/** @throws CliError for a text that is no time */
function readTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const timeMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs) || timeMs < 0)
    throw usageError(`${text} is no time`, 'Write it like 2031-05-01T12:00:00Z, in UTC.');
  return timeMs;
}

function policyText({ loss, adversary }: { loss: string; adversary: string }): string {
  return `it asks for a loss of at most ${loss} against ${adversary} of the seats; edit it to ask for more`;
}
