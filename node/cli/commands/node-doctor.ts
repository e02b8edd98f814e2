/** Find out what ails a node: causes, what follows from them, what to do. */
import type { Finding } from '../../client/http.ts';
import { plainText } from '../../client/plain.ts';
import { type Context, defineCommand } from '../command.ts';
import { nodeOptions, openClient } from '../connect.ts';
import { exitCodes } from '../error.ts';

export const nodeDoctor = defineCommand({
  name: 'node doctor',
  summary: 'Find out what ails a node: causes, what follows from them, what to do.',
  examples: [
    ['anwansi node doctor', 'Of the node on this machine: clock, ports, peers, quorum.'],
    ['anwansi node doctor --data-dir /var/lib/anwansi', 'Its disk and the lock of its key too.'],
  ],
  options: {
    ...nodeOptions,
    dataDir: {
      kind: 'path',
      placeholder: 'DIR',
      describe: 'Data directory of the node, or ANWANSI_DATA_DIR.',
    },
    p2pPort: {
      kind: 'integer',
      placeholder: 'PORT',
      describe: 'Where its peers should reach it; what it or its config.toml says unless given.',
      min: 1,
      max: 65_535,
    },
  },
  run: async (context, values) => {
    const { output, environment, resolvePath } = context;
    const { diagnose } = await import('../doctor.ts');
    const named = environment.ANWANSI_DATA_DIR ?? '';
    const directory = values.dataDir ?? (named === '' ? null : resolvePath(named));
    const client = await openClient(values, context);
    const { p2pPort: port = null } = values;
    const options = { directory, port, environment };
    const findings = await diagnose(client, options, context.signal);
    if (directory === null) output.note('disk and key lock: not looked at without --data-dir');
    const failed = findings.some(({ state }) => state === 'failed');
    const lines = findings.flatMap((finding) => findingLines(finding, context));
    output.result({ api: client.url, healthy: !failed, findings }, lines.join('\n'));
    return failed ? exitCodes.network : exitCodes.done;
  },
});

const marks = { ok: 'ok  ', warning: 'WARN', failed: 'FAIL' } as const;

function findingLines(finding: Finding, { output }: Context): readonly string[] {
  const { name, state, cause, consequence, remedy } = finding;
  const first = `${marks[state]}  ${plainText(name, 40)}: ${plainText(cause, 300)}`;
  if (state === 'ok') return [first];
  output.detail(`${name} is ${state}`);
  return [
    first,
    `      so    ${plainText(consequence, 300)}`,
    `      do    ${plainText(remedy, 300)}`,
  ];
}
