// Goal: what is remembered of a check saves another one and can do no more, whatever lies in its
// folder and whoever put it there.
// Method: reports of real checks; a folder with files of all kinds.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { checkLaws, quickBounds } from '../../node/laws/check.ts';
import { rememberedIn } from '../../node/laws/remembered.ts';
import { lawBlob } from '../../node/laws/report.ts';
import type { Items } from '../../node/laws/subject.ts';
import { nameBlob, nameText } from '../../node/storage/naming.ts';
import { rawCid } from '../../protocol/merkle/cid.ts';
import { type CombineName, eightByteProgram } from '../fixtures/programs/lawless.ts';
import { floatItems, lawSubject } from '../support/law-subject.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-remembered-'));
let pool: ChildPool;

beforeAll(async () => {
  pool = await createExecutor({ readable: [directory], children: 1 });
});
afterAll(async () => {
  await pool.close();
  rmSync(directory, { recursive: true });
});

let folderCount = 0;

const itemsOf = (values: readonly number[]): Items => floatItems(values, directory);

describe('what is remembered', () => {
  const none = new Uint8Array(0);
  const folder = (): string => join(directory, `remembered-${folderCount++}`);
  const check = async (name: CombineName) => {
    const subject = lawSubject(eightByteProgram(name), directory, pool);
    const bounds = { ...quickBounds, made: 8, samples: 8, folds: 8, doubled: 2, shrunk: 40 };
    const { report, blob } = await checkLaws(subject, itemsOf([1, 2]), {
      runs: 48,
      seed: '1',
      bounds,
    });
    return { cid: nameBlob(subject.program.bytes).cid, report, blob: blob! };
  };

  test('is a verdict of this program, whatever else lies there', async () => {
    const [sum, first] = [await check('sum'), await check('first')];
    const place = folder();
    const remembered = rememberedIn(place);
    expect(await remembered.read(sum.cid, none)).toBeNull();
    await remembered.write(sum.cid, none, sum.blob);
    await remembered.write(first.cid, none, first.blob);
    expect(await remembered.read(sum.cid, none)).toEqual(sum.report);
    expect((await remembered.read(first.cid, none))?.verdict).toBe('refuted');
    const names = readdirSync(place);
    expect(names).toHaveLength(2);
    for (const spoiled of [Uint8Array.of(), Uint8Array.of(1, 2), sum.blob.bytes.slice(1)]) {
      for (const name of names) writeFileSync(join(place, name), spoiled);
      expect(await remembered.read(sum.cid, none)).toBeNull();
    }
    // A report of another program under this one's name, of other rules or parameters, or without
    // a verdict: it is neither written nor, where somebody put it there, read.
    const file = join(place, names.find((name) => name.startsWith(nameText(sum.cid)!))!);
    const parameters = nativeSha256(Uint8Array.of(1));
    const strange = [
      first.blob,
      ...[{ costTable: 77 }, { parameters }, { verdict: 'untested' } as const].map((change) =>
        lawBlob({ ...sum.report, ...change }),
      ),
    ];
    for (const blob of strange) {
      writeFileSync(file, blob.bytes);
      expect(await remembered.read(sum.cid, none)).toBeNull();
      await remembered.write(sum.cid, none, sum.blob);
      await remembered.write(sum.cid, none, blob);
      expect(await remembered.read(sum.cid, none)).toEqual(sum.report);
    }
    // Nor one that somebody else could have written.
    chmodSync(file, 0o666);
    expect(await remembered.read(sum.cid, none)).toBeNull();
    chmodSync(file, 0o600);
    expect(await remembered.read(sum.cid, none)).toEqual(sum.report);
  });

  test('is of a program under its parameters, and of any input', async () => {
    const remembered = rememberedIn(folder());
    const sum = await check('sum');
    await remembered.write(sum.cid, none, sum.blob);
    expect(await remembered.read(sum.cid, Uint8Array.of(123, 125))).toBeNull();
    // What fails in one order on these items may not on others.
    const narrow = await check('trap in one order');
    expect(narrow.report.verdict).toBe('refuted');
    await remembered.write(narrow.cid, none, narrow.blob);
    expect(await remembered.read(narrow.cid, none)).toBeNull();
  });

  test('is an example for good, whatever another check passes over', async () => {
    const [sum, first] = [await check('sum'), await check('first')];
    const refuted = lawBlob({ ...first.report, program: sum.cid });
    const remembered = rememberedIn(folder());
    await remembered.write(sum.cid, none, sum.blob);
    await remembered.write(sum.cid, none, refuted);
    expect((await remembered.read(sum.cid, none))?.verdict).toBe('refuted');
    await remembered.write(sum.cid, none, sum.blob);
    expect((await remembered.read(sum.cid, none))?.verdict).toBe('refuted');
  });

  test('is bounded, and a folder that cannot be is no error', async () => {
    const { cid, blob } = await check('sum');
    const place = folder();
    mkdirSync(place);
    for (let at = 0; at < 1_030; at++) {
      const name = rawCid(nativeSha256(Uint8Array.of(at >> 8, at & 255)));
      writeFileSync(join(place, `${nameText(name)}.law`), '');
    }
    writeFileSync(join(place, 'notes.txt'), 'mine');
    await rememberedIn(place).write(cid, none, blob);
    expect(readdirSync(place)).toHaveLength(1_025);
    expect(readdirSync(place)).toContain('notes.txt');
    expect(await rememberedIn(place).read(cid, none)).not.toBeNull();
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    await rememberedIn(join(file, 'below')).write(cid, none, blob);
    expect(await rememberedIn(join(file, 'below')).read(cid, none)).toBeNull();
  });
});
