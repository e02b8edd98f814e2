/** Remember reports of programs in a folder of the user's, so that none is checked twice. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hex, sameBytes } from '../../protocol/brand.ts';
import { type Cid, formatCid, parseCid } from '../../protocol/merkle/cid.ts';
import { costTableVersion, rewriterVersion } from '../../protocol/params.ts';
import { nativeSha256 } from '../crypto.ts';
import {
  type LawBlob,
  type LawReport,
  lawReportBytesMax,
  readLawReport,
  refutesProgram,
} from './report.ts';

/** Programs that are remembered; of more, those that were checked longest ago go. */
const rememberedCountMax = 1_024;

/** What was found out before. It can save a check, and nothing else: what cannot be read is none. */
export type Remembered = {
  /** The report of a program under its parameters that settles the matter; null without one. */
  readonly read: (program: Cid, parameters: Uint8Array) => Promise<LawReport | null>;
  /** Remembers a report, if it says something of other inputs too: no example is written over. */
  readonly write: (program: Cid, parameters: Uint8Array, blob: LawBlob) => Promise<void>;
};

/** Nothing is remembered. */
export const forgetful: Remembered = { read: async () => null, write: async () => undefined };

/** Remembers in a folder, which is made when there is something to remember. */
export function rememberedIn(folder: string): Remembered {
  const fileOf = (program: Cid, digest: Uint8Array): string =>
    join(folder, `${formatCid(program)}-${hex(digest).slice(0, 16)}.law`);
  const settled = (bytes: Uint8Array, program: Cid, digest: Uint8Array): LawReport | null => {
    // What versions it was made under, it says itself: of the check by the form that it has.
    const report = readLawReport(bytes);
    if (report === null || !sameBytes(report.program, program)) return null;
    if (!sameBytes(report.parameters, digest)) return null;
    if (report.rewriter !== rewriterVersion || report.costTable !== costTableVersion) return null;
    return report.verdict === 'none-found' || refutesProgram(report) ? report : null;
  };
  const read: Remembered['read'] = async (program, parameters) => {
    const digest = nativeSha256(parameters);
    const file = fileOf(program, digest);
    const bytes = await readAtMost(file, lawReportBytesMax).catch(() => null);
    return bytes === null ? null : settled(bytes, program, digest);
  };
  return {
    read,
    write: async (program, parameters, { bytes }) => {
      const digest = nativeSha256(parameters);
      const report = settled(bytes, program, digest);
      if (report === null) return;
      // An example stands, whatever another seed passed over.
      const known = report.verdict === 'refuted' ? null : await read(program, parameters);
      if (known?.verdict === 'refuted') return;
      const draft = join(folder, `${randomUUID()}.draft`);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFile(draft, bytes, { mode: 0o600 });
        await rename(draft, fileOf(program, digest));
        await bound(folder);
      } catch {
        // A folder that cannot be written costs another check, never a job.
        await rm(draft, { force: true }).catch(() => undefined);
      }
    },
  };
}

/** Reads a file that nobody else can have written: another's word would be as good as our own. */
async function readAtMost(path: string, bytesMax: number): Promise<Uint8Array | null> {
  // Without waiting, so that a pipe in its place holds up nobody.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const status = await file.stat();
    const isOwn = process.getuid === undefined || status.uid === process.getuid();
    if (!status.isFile() || !isOwn || (status.mode & othersMayWrite) !== 0) return null;
    return status.size > bytesMax ? null : new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

/** Bits of a mode. Windows has none of them. */
const othersMayWrite = process.platform === 'win32' ? 0 : 0o022;

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
  // Files of earlier versions, of a content id alone, are counted, and go with the others.
  const [, program = ''] = /^([^-]*)(?:-[0-9a-f]{16})?\.law$/.exec(name) ?? [];
  return parseCid(program) !== null;
}
