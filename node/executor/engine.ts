/** State what we use of the WebAssembly engine: its types come only with those of browsers. */

/** A compiled program. */
export type Module = { readonly [brand]: 'module' };
declare const brand: unique symbol;

export type Memory = { readonly buffer: ArrayBuffer };

/** A variable that the host may read and write. */
export type Global = { value: number | bigint };

export type Exports = Readonly<
  Record<
    string,
    Memory | Global | ((...values: (number | bigint)[]) => number | bigint | undefined)
  >
>;

type Engine = {
  readonly validate: (bytes: Uint8Array) => boolean;
  readonly Module: {
    new (bytes: Uint8Array): Module;
    exports(module: Module): readonly { readonly name: string }[];
  };
  readonly Instance: new (module: Module, imports: object) => { readonly exports: Exports };
  readonly Memory: new (...values: never[]) => Memory;
  readonly Global: new (...values: never[]) => Global;
  readonly RuntimeError: new (...values: never[]) => Error;
  readonly LinkError: new (...values: never[]) => Error;
};

/** The engine of this process. */
export const engine: Engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;

/** The engine's judgement of a module, for `admitProgram`. */
export function validateModule(bytes: Uint8Array): boolean {
  return engine.validate(bytes);
}
