/** Make folders as `program new` and `program build` leave them, and run the kit's commands there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { programBuild } from '../../node/cli/commands/program-build.ts';
import { programNew } from '../../node/cli/commands/program-new.ts';
import { programTest } from '../../node/cli/commands/program-test.ts';
import { runWords } from './command-line.ts';

/** Opens an empty directory, to be removed in the end. */
export function openKit() {
  const directory = mkdtempSync(join(tmpdir(), 'anwansi-kit-project-'));
  const run = (...words: string[]) =>
    runWords([programNew, programBuild, programTest], ['program', ...words], { directory });
  /** A program's folder of the given module, if any, and files; it is cut every eight bytes. */
  const project = (
    name: string,
    bytes: Uint8Array | null,
    files: Record<string, string | Uint8Array>,
  ): void => {
    const folder = join(directory, name);
    mkdirSync(join(folder, 'tests'), { recursive: true });
    const manifest = { name, version: '1', language: 'as', cut: { kind: 'fixed', bytes: 8 } };
    writeFileSync(join(folder, 'program.json'), JSON.stringify(manifest));
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), content);
    }
    if (bytes !== null) writeFileSync(join(folder, `${name}.wasm`), bytes);
  };
  const remove = (): void => rmSync(directory, { recursive: true });
  return { directory, run, project, remove };
}
