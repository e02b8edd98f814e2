/** Remember reports of programs in a folder of the user's, so that none is checked twice. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sameBytes } from '../../protocol/brand.ts';
import { type Cid, formatCid, parseCid } from '../../protocol/merkle/cid.ts';
import { costTableVersion, rewriterVersion } from '../../protocol/params.ts';
import { type LawBlob, type LawReport, lawReportBytesMax, readLawReport } from './report.ts';

/** Programs that are remembered; of more, those that were checked longest ago go. */
const rememberedCountMax = 1_024;

/** What was found out before. It can save a check, and nothing else: what cannot be read is none. */
export type Remembered = {
  /** The report of a program that settles the matter; null where there is none. */
  readonly read: (program: Cid) => Promise<LawReport | null>;
  readonly write: (program: Cid, blob: LawBlob) => Promise<void>;
};

/** Nothing is remembered. */
export const forgetful: Remembered = { read: async () => null, write: async () => undefined };

/** Remembers in a folder, which is made when there is something to remember. */
export function rememberedIn(folder: string): Remembered {
  const fileOf = (program: Cid): string => join(folder, `${formatCid(program)}.law`);
  return {
    read: async (program) => {
      const bytes = await readAtMost(fileOf(program), lawReportBytesMax).catch(() => null);
      const report = bytes === null ? null : readLawReport(bytes);
      if (report === null || !sameBytes(report.program, program)) return null;
      const isOurs = report.rewriter === rewriterVersion && report.costTable === costTableVersion;
      return isOurs && report.verdict !== 'untested' ? report : null;
    },
    write: async (program, { bytes }) => {
      const draft = join(folder, `${randomUUID()}.draft`);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFile(draft, bytes, { mode: 0o600 });
        await rename(draft, fileOf(program));
        await bound(folder);
      } catch {
        // A folder that cannot be written costs another check, never a job.
        await rm(draft, { force: true }).catch(() => undefined);
      }
    },
  };
}

async function readAtMost(path: string, bytesMax: number): Promise<Uint8Array | null> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return size > bytesMax ? null : new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

async function bound(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => isOurs(name));
  if (names.length <= rememberedCountMax) return;
  const dated = names.map(async (name) => ({
    path: join(folder, name),
    ms: (await stat(join(folder, name))).mtimeMs,
  }));
  const oldest = (await Promise.all(dated)).sort((a, b) => a.ms - b.ms);
  for (const { path } of oldest.slice(0, names.length - rememberedCountMax))
    await rm(path, { force: true });
}

function isOurs(name: string): boolean {
  return name.endsWith('.law') && parseCid(name.slice(0, -'.law'.length)) !== null;
}
