/** Take one rule out of the engine's source and load what is left: a twin that must fail. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Engine } from './host.ts';

/** One replacement in one file of protocol/consensus/. The text must occur exactly once. */
export type Cut = { readonly file: string; readonly text: string; readonly by: string };

export type Mutant = { readonly name: string; readonly cuts: readonly Cut[] };

/** Each takes out what one theorem rests on. */
export const mutants = {
  smallQuorum: {
    name: 'a quorum of 2f',
    cuts: [{ file: 'seats.ts', text: 'Math.floor((2 * n) / 3) + 1', by: '2 * faultyMax(n)' }],
  },
  withoutI2: {
    name: 'without I2: Final beside Skip',
    cuts: [
      { file: 'ballot.ts', text: "kind !== 'final' || own.skip === null", by: 'true' },
      { file: 'ballot.ts', text: "kind !== 'skip' || own.final === null", by: 'true' },
      { file: 'timer.ts', text: 'skip !== null || final !== null', by: 'skip !== null' },
      {
        file: 'advance.ts',
        text: 'self === null || skip !== null || final !== null',
        by: 'self === null || final !== null',
      },
    ],
  },
  withoutGapRule: {
    name: 'without the gap rule of I3',
    cuts: [
      {
        file: 'chain.ts',
        text: 'return supported(state, parent, parentView) && gapSkipped(state, parentView, view);',
        by: 'return supported(state, parent, parentView) && gapSkipped(state, view - 1, view);',
      },
    ],
  },
  withoutI1: {
    name: 'without I1: a Notar vote for every block',
    cuts: [
      {
        file: 'ballot.ts',
        text: 'own[kind] === null',
        by: "kind === 'notar' || own[kind] === null",
      },
      {
        file: 'engine.ts',
        text: [
          'if (rules.self === null || ownVotes(state, view).notar !== null) return;',
          '  const id = recordOf(state, view).blocks.find(',
        ].join('\n'),
        by: [
          'const last = ownVotes(state, view).notar;',
          '  const id = recordOf(state, view).blocks',
          '    .filter((other) => last === null || other !== hex(last.block)).find(',
        ].join('\n'),
      },
    ],
  },
  withoutRepeats: {
    name: 'without saying everything again',
    cuts: [{ file: 'engine.ts', text: '  repeat(draft);\n  const { root', by: '  const { root' }],
  },
} as const satisfies Readonly<Record<string, Mutant>>;

/** The engine without the mutant's rules. @throws if the source no longer says what is cut out. */
export async function load({ name, cuts }: Mutant): Promise<Engine> {
  const room = new URL('../../../protocol/consensus/', import.meta.url);
  const lower = new URL('../', room);
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'));
  try {
    const pending = [...cuts];
    for (const file of readdirSync(room)) {
      let source = readFileSync(new URL(file, room), 'utf8');
      for (const cut of cuts.filter((each) => each.file === file)) {
        if (source.split(cut.text).length !== 2)
          throw new Error(`${name}: ${file} does not say once: ${cut.text}`);
        source = source.replace(cut.text, () => cut.by);
        pending.splice(pending.indexOf(cut), 1);
      }
      // The copy imports the rooms below from where they are, and its own files from beside it.
      writeFileSync(
        join(folder, file),
        source.replaceAll("from '../", () => `from '${lower.href}`),
      );
    }
    if (pending.length > 0) throw new Error(`${name}: no file ${pending[0]!.file}`);
    const url = pathToFileURL(join(folder, 'engine.ts')).href;
    return (await import(/* @vite-ignore */ url)) as Engine;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
