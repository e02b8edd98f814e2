/** Keep what a node knows of programs: a verdict and its report, over restarts, bounded. */
import { mark } from '../../protocol/assert.ts';
import { type Hex, hex, sameBytes } from '../../protocol/brand.ts';
import { codec, tryDecode } from '../../protocol/codec/codec.ts';
import {
  fixedBytes,
  nullable,
  oneOf,
  type ShapeOf,
  struct,
  uint,
} from '../../protocol/codec/schema.ts';
import { isCid } from '../../protocol/merkle/cid.ts';
import { cidBytes, costTableVersion, digestBytes, rewriterVersion } from '../../protocol/params.ts';
import type { Store, StoreChange } from '../ports.ts';
import type { Blobs } from '../storage/blobs.ts';
import { lawNames } from './law.ts';
import { type LawBlob, type LawReport, verdicts } from './report.ts';

/** Programs that are known at once: of more, those met longest ago are forgotten. */
export const keptProgramCountMax = 512;
/** Times that a program is looked at whose laws could not be tested, on other parameters. */
const untestedTriesMax = 4;

const wordShape = struct({
  verdict: oneOf(verdicts),
  law: nullable(oneOf(lawNames)),
  /** Content id of the report. */
  report: fixedBytes(cidBytes),
  /** Versions that it holds for. */
  rewriter: uint(2 ** 16),
  costTable: uint(2 ** 16),
  /** SHA-256 of the parameters that it was last looked at with, and how often that was. */
  parameters: fixedBytes(digestBytes),
  tries: uint(untestedTriesMax, 1),
  /** Rises from one verdict to the next. */
  order: uint(2 ** 40),
});
/** What is known of a program. */
export type LawWord = ShapeOf<typeof wordShape>;
const wordCodec = codec('law word', 256, wordShape);

export type KeptWords = {
  readonly get: (program: Uint8Array) => LawWord | null;
  /** Whether a word leaves open what other parameters would show. */
  readonly isOpen: (word: LawWord, parameters: Uint8Array) => boolean;
  /** Keeps a verdict, with its report as a blob that is not sent away. */
  readonly keep: (
    program: Uint8Array,
    parameters: Uint8Array,
    report: LawReport,
    blob: LawBlob,
  ) => Promise<LawWord>;
};

/** Reads what is kept. Words of other versions, and what is no word, count as nothing known. */
export async function keptWords(store: Store, blobs: Blobs): Promise<KeptWords> {
  const words = new Map<Hex, { readonly program: Uint8Array; readonly word: LawWord }>();
  const found = await store.range('law', { limit: 4 * keptProgramCountMax });
  for (const [program, value] of found) {
    const word = tryDecode(wordCodec, value);
    if (word === null || !isCid(program) || !isCid(word.report) || !isOurs(word)) continue;
    mark('T12');
    blobs.pin(word.report);
    words.set(hex(program), { program, word });
  }
  let order = [...words.values()].reduce((most, { word }) => Math.max(most, word.order), 0);
  return {
    get: (program) => words.get(hex(program))?.word ?? null,
    isOpen: ({ verdict, tries, parameters: known }, parameters) =>
      verdict === 'untested' && tries < untestedTriesMax && !sameBytes(known, parameters),
    keep: async (program, parameters, { verdict, example }, { cid, bytes }) => {
      const name = hex(program);
      const before = words.get(name)?.word ?? null;
      order += 1;
      const word: LawWord = {
        ...{ verdict, law: example?.law ?? null, report: cid, parameters, order },
        ...{ rewriter: rewriterVersion, costTable: costTableVersion },
        tries: Math.min((before?.tries ?? 0) + 1, untestedTriesMax),
      };
      await blobs.put(bytes);
      const changes: StoreChange[] = [
        { bucket: 'law', key: program, value: wordCodec.encode(word) },
      ];
      const forgotten = before === null ? oldest() : null;
      if (forgotten !== null) changes.push({ bucket: 'law', key: forgotten.program, value: null });
      // It may be lost in a crash: then the program is looked at again.
      await store.batch(changes, { durable: false });
      blobs.pin(cid);
      if (before !== null) blobs.release(before.report);
      if (forgotten !== null) {
        blobs.release(forgotten.word.report);
        words.delete(hex(forgotten.program));
      }
      words.set(name, { program, word });
      return word;
    },
  };

  /** Whose place a new one takes; what is refuted goes last. Null while there is room. */
  function oldest() {
    if (words.size < keptProgramCountMax) return null;
    mark('T11');
    const rank = ({ word }: { readonly word: LawWord }): number =>
      (word.verdict === 'refuted' ? 2 ** 41 : 0) + word.order;
    return [...words.values()].reduce((a, b) => (rank(a) <= rank(b) ? a : b));
  }
}

function isOurs({ rewriter, costTable }: LawWord): boolean {
  return rewriter === rewriterVersion && costTable === costTableVersion;
}
