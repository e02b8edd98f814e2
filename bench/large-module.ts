/** Take the WebAssembly out of the compiler library that AssemblyScript brings: 9 MB of C++. */
import type { InstrumentLimits } from '../protocol/execution/limits.ts';

/** Caps that let any module of a compiler pass. */
export const wideLimits: Partial<InstrumentLimits> = {
  moduleBytes: 2 ** 30,
  functionBytes: 2 ** 24,
  types: 2 ** 20,
  functions: 2 ** 20,
  locals: 2 ** 15,
  localsByConstructs: 2 ** 30,
  nesting: 2 ** 12,
  branchLabels: 2 ** 16,
  tableElements: 2 ** 24,
  memoryPages: 2 ** 16,
  chainDepth: 2 ** 29,
};

type Instantiate = (bytes: Uint8Array, imports: object) => Promise<unknown>;
type Engine = { instantiate: Instantiate };

/** What `binaryen` would have instantiated. Nothing of it is run. */
export async function largeModule(): Promise<Uint8Array> {
  const engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;
  const { instantiate } = engine;
  return new Promise((resolve, reject) => {
    engine.instantiate = (bytes) => {
      engine.instantiate = instantiate;
      resolve(Uint8Array.from(bytes));
      // Whoever awaits the library waits for ever, and nobody does.
      return new Promise(() => undefined);
    };
    // It awaits its module while it is loaded: this promise settles only when that fails.
    import('binaryen' as string).catch(reject);
  });
}
