// Goal: the programs that take an input fail on parameters that they do not know or cannot hold,
// early, before they look at the item, and in both languages alike; on good ones they do not.
// Method: the committed bytes, metered, on an item of 1 MiB: with a tenth of the fuel that a good
// call uses, a bad one still ends by its trap, and a good one by its fuel.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { callProgram } from '../../node/executor/instance.ts';
import { openProgram } from '../../node/executor/program.ts';
import { type ProgramName, programPath } from '../../programs/build.ts';
import { valueBytesMax } from '../../protocol/params.ts';

const item = new Uint8Array(1_048_576).fill(49).map((digit, at) => (at % 8 === 7 ? 10 : digit));
const limit = 1n << 33n;

/** No JSON object of whole numbers, whatever the names. */
const malformed = ['{', '[]', '{}x', '1', '{"":1}', '{,}', 'null'];
const mean = {
  good: ['{"column":1}', '{"bucket":4611686018427387903,"digits":9,"column":4611686018427387903}'],
  bad: [
    ...['', '{}', '{"column":0}', '{"column":-1}', '{"column":1.0}', '{"column":01}'],
    ...['{"column":"1"}', '{"column":1,"column":1}', '{"column":1,"digits":10}', '{"columns":1}'],
    ...['{"column":1,"bucket":0}', '{"column":1,"bucket":4611686018427387904}', '{"digits":1}'],
  ],
};
const rows: readonly [ProgramName, { readonly good: string[]; readonly bad: string[] }][] = [
  ['mean', mean],
  ['mean-c', mean],
  [
    'matmul',
    {
      good: ['{"rows":1,"columns":1}', '{"columns":2,"rows":3}'],
      bad: [
        ...['', '{}', '{"rows":1}', '{"columns":1}', '{"rows":0,"columns":1}'],
        ...[
          '{"rows":1,"columns":0}',
          '{"rows":1024,"columns":513}',
          '{"rows":1,"columns":1,"k":1}',
        ],
        ...['{"rows":4294967296,"columns":4294967296}', '{"rows":524289,"columns":1}'],
      ],
    },
  ],
  [
    'topwords',
    {
      good: ['', '{}', '{"top":1}', '{"seed":4611686018427387903,"top":1000}'],
      bad: [
        ...['{"top":0}', '{"top":1001}', '{"top":-1}', '{"seed":4611686018427387904}', '{"k":5}'],
        ...['{"top":1e2}', '{"top":5,}', '{"top":5,"top":5}', '{"seed":"a"}'],
      ],
    },
  ],
];

describe.each(rows)('%s', (name, { good, bad }) => {
  const program = openProgram(new Uint8Array(readFileSync(programPath(name))));
  const map = (parameters: string, fuel: bigint) =>
    callProgram(program, {
      name: 'anw_map',
      arguments: [new TextEncoder().encode(parameters), item],
      valueBytesMax,
      fuel,
    });
  const uses = (parameters: string): bigint => {
    const result = map(parameters, limit);
    if (!result.ok) throw new Error(`${parameters}: ${result.reason}`);
    return result.fuel;
  };
  const tenth = uses(good[0]!) / 10n;

  test('takes what its page says, and needs its fuel for the item', () => {
    for (const parameters of good) {
      expect(uses(parameters), parameters).toBeGreaterThan(tenth);
      expect(map(parameters, tenth), parameters).toMatchObject({ class: 'out-of-fuel' });
    }
  });

  test.each([...new Set([...bad, ...malformed])])('traps on %j at once', (parameters) => {
    expect(map(parameters, tenth)).toMatchObject({ ok: false, class: 'trap' });
  });
});
