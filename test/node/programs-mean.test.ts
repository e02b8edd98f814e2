// Goal: `mean` adds up readings however they are parted, and counts each cell that is no number.
// Method: cells of any kind against a pattern and bigints; readings merged in every grouping.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { programPath } from '../../programs/build.ts';
import { openProgram } from '../support/open-program.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.each(['mean', 'mean-c'] as const)('%s', (name) => {
  const mean = openProgram(programPath(name));
  const read = (parameters: string, text: string): string =>
    mean.render(parameters, mean.map(parameters, bytes(text)));

  /** The number in a cell, once more, in units of 10^-digits; null where there is none. */
  function numberAgain(cell: string, digits: number): bigint | null {
    const bare = /^[ \t\r]*(?:"[ \t\r]*([^"]*)"|([^"]*))[ \t\r]*$/.exec(cell);
    const found = /^([+-]?)(\d*)(?:\.(\d*))?[ \t\r]*$/.exec(bare?.[1] ?? bare?.[2] ?? 'none');
    if (found === null) return null;
    const [, sign, whole = '', part = ''] = found;
    const shown = part.slice(0, digits).padEnd(digits, '0');
    if (whole + part === '' || /[1-9]/.test(part.slice(digits))) return null;
    const number = BigInt(whole + shown);
    if (number >= 2n ** 61n) return null;
    return sign === '-' ? -number : number;
  }

  const digit = fc.constantFrom(...'0123456789');
  const digits = (most: number) => fc.array(digit, { maxLength: most }).map((all) => all.join(''));
  const cell = fc.oneof(
    fc
      .tuple(fc.constantFrom('', '-', '+'), digits(21), fc.constantFrom('', '.'), digits(5))
      .map((parts) => parts.join('')),
    fc
      .tuple(fc.constantFrom('"', ' "', ' '), digits(3), fc.constantFrom('"', '" ', '', '",'))
      .map((parts) => parts.join('')),
    fc.array(fc.constantFrom(...'01.-+ x"\t\r'), { maxLength: 7 }).map((all) => all.join('')),
    fc.constantFrom('10000000000000000000', '2305843009213693951', '2305843009213693952', '1e3'),
    fc.constantFrom('"1,234"', '"1,5"', '1"', '"1', '1""', 'NaN', '0x1', '\uff11', '1 2', '--1'),
  );

  test('each cell is its number, or is skipped and counted', () => {
    fc.assert(
      fc.property(cell, fc.nat(4), (text, behind) => {
        // A comma outside of quotes ends the cell; so does the first one after a closed quote.
        const [field] = /^[ \t\r]*"[^"]*"[^,]*|^[^,]*/.exec(text)!;
        const number = numberAgain(field, behind);
        const { count, skipped } = JSON.parse(
          read(`{"column":1,"digits":${behind}}`, text || '\n'),
        );
        expect([count, skipped]).toEqual(number === null ? [0, 1] : [1, 0]);
        if (number === null) return;
        const sum = /"sum":(-?)([\d.]+),/.exec(read(`{"column":1,"digits":${behind}}`, text))!;
        expect(BigInt(sum[1]! + sum[2]!.replace('.', ''))).toBe(number);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['10000000000000000000', 'more than 61 bits, which wrapped to another number'],
    ['"1,234"', 'a comma inside quotes, which ended the number'],
    ['5"', 'a quote that nobody opened'],
  ])('%s is no number: %s', (text) => {
    expect(JSON.parse(read('{"column":1}', `${text}\n7\n`))).toMatchObject({
      count: 1,
      skipped: 1,
      sum: 7,
    });
  });

  test('parameters beyond 62 bits are refused, not wrapped', () => {
    for (const bucket of ['4611686018427387904', '9500000000000000000', '18446744073709551617'])
      expect(() => read(`{"column":1,"bucket":${bucket}}`, '1\n'), bucket).toThrow();
    expect(read('{"column":1,"bucket":4611686018427387903}', '-1\n')).toContain(
      '"histogram":[[-4611686018427387903,1]]',
    );
  });

  test('readings of sensors: any partition of the cluster comes to one sum and number', () => {
    const given = '{"column":2,"digits":1,"bucket":50}';
    const readings = [21.5, 19, -3.2, 22.1, 20.4, 21.5, 18.9, 23.3].map((one, at) => {
      return mean.map(given, bytes(`sensor ${at},${one}\n`));
    });
    const known =
      '{"count":8,"skipped":0,"sum":143.5,"mean":17.9375000,"minimum":-3.2,"maximum":23.3,' +
      '"histogram":[[-5.0,1],[15.0,2],[20.0,5]]}';
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (choices) => {
        // What a partition knows is a value: at each step, any two of them meet.
        const clusters = readings.slice();
        const any = (): Uint8Array => {
          return clusters.splice(choices.next().value % clusters.length, 1)[0]!;
        };
        while (clusters.length > 1) clusters.push(mean.combine(any(), any()));
        expect(mean.render(given, clusters[0]!)).toBe(known);
      }),
      { numRuns: 60 },
    );
  });
});
