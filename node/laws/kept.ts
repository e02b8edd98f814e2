/** Keep what a node knows of programs: verdicts and their reports, over restarts, bounded. */
import { mark } from '../../protocol/assert.ts';
import { type Hex, hex, utf8 } from '../../protocol/brand.ts';
import { codec, tryDecode } from '../../protocol/codec/codec.ts';
import {
  bigUint,
  fixedBytes,
  nullable,
  oneOf,
  type ShapeOf,
  struct,
  uint,
} from '../../protocol/codec/schema.ts';
import type { Job } from '../../protocol/job/job.ts';
import { isCid } from '../../protocol/merkle/cid.ts';
import { cidBytes, costTableVersion, digestBytes, rewriterVersion } from '../../protocol/params.ts';
import { nativeSha256 } from '../crypto.ts';
import type { Store, StoreChange } from '../ports.ts';
import type { Blobs } from '../storage/blobs.ts';
import { lawNames } from './law.ts';
import {
  type LawBlob,
  type LawReport,
  lawReportBytesMax,
  lawReportVersion,
  refutesProgram,
  verdicts,
} from './report.ts';

/** Verdicts that are known at once, and bytes of their reports: of more, the oldest are forgotten. */
export const keptWordCountMax = 512;
export const keptReportBytesMax = 16 * 1024 * 1024;

const wordShape = struct({
  verdict: oneOf(verdicts),
  law: nullable(oneOf(lawNames)),
  /** Content id of the report, and its bytes. */
  report: fixedBytes(cidBytes),
  reportBytes: uint(lawReportBytesMax),
  /** Versions that it holds for: of the rules of a check, and those that fuel is counted by. */
  check: uint(2 ** 16),
  rewriter: uint(2 ** 16),
  costTable: uint(2 ** 16),
  /** Fuel that the check was granted. */
  grant: bigUint(2n ** 63n - 1n),
  /** Rises from one verdict to the next. */
  order: uint(2 ** 40),
});
/** What is known of a program under its parameters, or of what one job makes of it. */
export type LawWord = ShapeOf<typeof wordShape>;
const wordCodec = codec('law word', 256, wordShape);

/** What of a job a verdict may rest on. */
export type LawJob = Pick<Job, 'program' | 'parameters' | 'input' | 'subtasks'>;

/** The key of what is known of a program under its parameters. */
export function programKey({ program, parameters }: LawJob): Uint8Array {
  return keyOf('program', program, nativeSha256(parameters));
}

/** The key of what is known of the very items of a job, folded in its subtasks. */
export function jobKey(job: LawJob): Uint8Array {
  const { input, subtasks } = job;
  const root = input.kind === 'list' ? input.root : new Uint8Array(digestBytes);
  return keyOf(`job ${input.items} ${subtasks} ${input.kind}`, programKey(job), root);
}

/** Parts of fixed length behind a name that ends with a line. */
function keyOf(name: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return nativeSha256(Buffer.concat([utf8(`anwansi/law ${name}\n`), ...parts]));
}

export type KeptWords = {
  /** What is known of a job: of its items, or else of its program under its parameters. */
  readonly get: (job: LawJob) => LawWord | null;
  /** Keeps a verdict, with its report as a blob that is not sent away. */
  readonly keep: (job: LawJob, report: LawReport, blob: LawBlob, grant: bigint) => Promise<LawWord>;
};

type Entry = { readonly key: Uint8Array; readonly word: LawWord };

/** Reads what is kept. Words of other versions, and what is no word, are taken out. */
export async function keptWords(store: Store, blobs: Blobs): Promise<KeptWords> {
  const words = new Map<Hex, Entry>();
  const stale: StoreChange[] = [];
  for (const [key, value] of await store.range('law', { limit: 4 * keptWordCountMax })) {
    const word = tryDecode(wordCodec, value);
    if (word === null || key.length !== digestBytes || !isCid(word.report) || !isOurs(word)) {
      stale.push({ bucket: 'law', key, value: null });
      continue;
    }
    mark('T12');
    blobs.pin(word.report);
    words.set(hex(key), { key, word });
  }
  if (stale.length > 0) await store.batch(stale, { durable: false });
  let order = [...words.values()].reduce((most, { word }) => Math.max(most, word.order), 0);
  return {
    get: (job) => (words.get(hex(jobKey(job))) ?? words.get(hex(programKey(job))))?.word ?? null,
    keep: async (job, report, { cid, bytes }, grant) => {
      // What fails in one order only tells of these items, and of nobody else's.
      const isNarrow = report.verdict === 'refuted' && !refutesProgram(report);
      const key = isNarrow ? jobKey(job) : programKey(job);
      order += 1;
      const word: LawWord = {
        ...{ verdict: report.verdict, law: report.example?.law ?? null, order, grant },
        ...{ report: cid, reportBytes: bytes.length, check: lawReportVersion },
        ...{ rewriter: rewriterVersion, costTable: costTableVersion },
      };
      await blobs.put(bytes);
      blobs.pin(cid);
      const gone: Entry[] = [];
      const before = words.get(hex(key));
      if (before !== undefined) gone.push(before);
      words.set(hex(key), { key, word });
      gone.push(...surplus(word));
      const changes: StoreChange[] = [{ bucket: 'law', key, value: wordCodec.encode(word) }];
      for (const entry of gone) {
        blobs.release(entry.word.report);
        if (entry === before) continue;
        words.delete(hex(entry.key));
        changes.push({ bucket: 'law', key: entry.key, value: null });
      }
      // It may be lost in a crash: then the program is looked at again.
      await store.batch(changes, { durable: false });
      return word;
    },
  };

  /** Who makes room for the newest: what is refuted goes last. */
  function surplus(newest: LawWord): Entry[] {
    const rank = ({ word }: Entry): number =>
      (word.verdict === 'refuted' ? 2 ** 41 : 0) + word.order;
    const others = [...words.values()].filter(({ word }) => word !== newest);
    others.sort((a, b) => rank(a) - rank(b));
    let bytes = others.reduce((sum, { word }) => sum + word.reportBytes, newest.reportBytes);
    let at = 0;
    while (at < others.length) {
      if (others.length - at < keptWordCountMax && bytes <= keptReportBytesMax) break;
      mark('T11');
      bytes -= others[at++]!.word.reportBytes;
    }
    return others.slice(0, at);
  }
}

function isOurs({ check, rewriter, costTable }: LawWord): boolean {
  return (
    check === lawReportVersion && rewriter === rewriterVersion && costTable === costTableVersion
  );
}
