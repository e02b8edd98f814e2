/** Take one rule out of the replica's source and load what is left: a twin that must fail. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Machine } from './world.ts';

/** One replacement in one file of `protocol/`. The text must occur exactly once. */
export type Cut = { readonly file: string; readonly text: string; readonly by: string };

/** Rooms that are copied, so that a cut in one of them is seen by all. */
const rooms = ['consensus', 'aggregation', 'ledger', 'replica'] as const;

/** The replica without some rules. @throws if the source no longer says what is cut out. */
export async function loadMachine(cuts: readonly Cut[]): Promise<Machine> {
  const protocol = new URL('../../protocol/', import.meta.url);
  const folder = mkdtempSync(join(tmpdir(), 'replica-twin-'));
  try {
    const pending = [...cuts];
    for (const room of rooms) {
      mkdirSync(join(folder, room));
      for (const name of readdirSync(new URL(`${room}/`, protocol))) {
        const file = `${room}/${name}`;
        let source = readFileSync(new URL(file, protocol), 'utf8');
        for (const cut of cuts.filter((each) => each.file === file)) {
          if (source.split(cut.text).length !== 2)
            throw new Error(`${file} does not say once: ${cut.text}`);
          source = source.replace(cut.text, () => cut.by);
          pending.splice(pending.indexOf(cut), 1);
        }
        // The copy imports other rooms from where they are.
        const linked = source.replace(/from '\.\.\/([\w-]+)([^']*)'/g, (all, target, rest) =>
          (rooms as readonly string[]).includes(target)
            ? all
            : `from '${new URL(`${target}${rest}`, protocol).href}'`,
        );
        writeFileSync(join(folder, file), linked);
      }
    }
    if (pending.length > 0) throw new Error(`no file ${pending[0]!.file}`);
    const load = (name: string) =>
      import(/* @vite-ignore */ pathToFileURL(join(folder, 'replica', name)).href);
    const [{ boot }, { step }, { judgeGossip }, { serveFromMemory }] = await Promise.all(
      ['boot.ts', 'replica.ts', 'judge.ts', 'serve.ts'].map(load),
    );
    return { boot, step, judgeGossip, serveFromMemory };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
