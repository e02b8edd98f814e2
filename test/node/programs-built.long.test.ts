// Goal: every program that comes along, and its twin, is built from its source, byte for byte.
// Method: the committed bytes against a build here.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildProgram, hasClang, programPath, programs, twins } from '../../programs/build.ts';

const all = { ...programs, ...twins };

test.for(Object.keys(all) as (keyof typeof all)[])('%s', async (name, context) => {
  if (all[name].language === 'c' && !hasClang()) context.skip('clang is missing');
  expect(Buffer.compare(await buildProgram(name), readFileSync(programPath(name)))).toBe(0);
});
