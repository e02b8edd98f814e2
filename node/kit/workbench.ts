/** Make values and combine them, each call in the node's own sandbox. */
import { hash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hex, sameBytes } from '../../protocol/brand.ts';
import { placeStates } from '../executor/task.ts';
import type { CallOutcome, SubtaskOutcome } from '../ports.ts';
import type { Ground, Items } from './items.ts';
import type { Statement, Tree } from './law.ts';
import { type Origin, originKey } from './origin.ts';
import { samplerOf } from './sampler.ts';

/** What a value came to: bytes, a failure that all machines see alike, or nothing here. */
export type Made =
  | { readonly kind: 'value'; readonly value: Uint8Array }
  | { readonly kind: 'failed'; readonly class: string }
  | { readonly kind: 'unrun'; readonly reason: string };

/** Whether a statement held, was broken, or could not be looked at. */
export type Held =
  | { readonly kind: 'held' | 'failed-alike' }
  | { readonly kind: 'broken'; readonly left: Made; readonly right: Made }
  /** An operand has none. */
  | { readonly kind: 'no-value' }
  /** This machine could not run it. */
  | { readonly kind: 'unrun'; readonly reason: string };

export type Workbench = {
  readonly make: (origin: Origin) => Promise<Made>;
  readonly judge: (statement: Statement) => Promise<Held>;
  /** Runs items as one subtask, in one child, folded as the tree says. */
  readonly subtask: (
    indices: readonly number[],
    plan: readonly number[],
  ) => Promise<SubtaskOutcome>;
};

/** Values that are kept, and the bytes of one that is. */
const keptCountMax = 8_192;
const keptBytesMax = 65_536;

const failed = (failureClass: string): Made => ({ kind: 'failed', class: failureClass });
const unrun = (reason: string): Made => ({ kind: 'unrun', reason });

/** Opens a workbench on items. Samples come from a program made of this one. */
export async function openWorkbench(ground: Ground, items: Items): Promise<Workbench> {
  const { program, programPath, parameters, scratch, executor, wallMs, signal } = ground;
  const samplerPath = join(scratch, 'sampler.wasm');
  if (program.exports.sample) await writeFile(samplerPath, samplerOf(program.bytes));
  const kept = new Map<string, Made>();

  const map = async (path: string, source: ReturnType<Items['source']>): Promise<Made> =>
    ofSubtask(
      await executor.runSubtask(
        { programPath: path, parameters, items: [source], plan: [0], itemWallMs: wallMs },
        signal,
      ),
    );
  let fileCount = 0;
  const mapBytes = async (path: string, bytes: Uint8Array): Promise<Made> => {
    const file = join(scratch, `made-${fileCount++}`);
    await writeFile(file, bytes);
    const result = await map(path, { kind: 'file', path: file });
    await rm(file);
    return result;
  };
  const fold = async (values: readonly Uint8Array[]): Promise<Made> =>
    ofCall(await executor.fold(programPath, values, wallMs, signal));

  const makeAnew = async (origin: Origin): Promise<Made> => {
    switch (origin.kind) {
      case 'empty':
        return { kind: 'value', value: new Uint8Array(0) };
      case 'item':
        return map(programPath, items.source(origin.index));
      case 'made':
        return mapBytes(programPath, origin.bytes);
      case 'sample':
        return mapBytes(samplerPath, origin.seed);
      case 'fold': {
        const values: Uint8Array[] = [];
        for (const part of origin.parts) {
          const made = await make(part);
          if (made.kind !== 'value') return made;
          values.push(made.value);
        }
        return fold(values);
      }
      case 'doubled': {
        let made = await make(origin.part);
        for (let time = 0; time < origin.times && made.kind === 'value'; time++)
          made = await fold([made.value, made.value]);
        return made;
      }
    }
  };
  const make = async (origin: Origin): Promise<Made> => {
    const key = hash('sha256', originKey(origin));
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = await makeAnew(origin);
    const light = made.kind !== 'value' || made.value.length <= keptBytesMax;
    if (light && kept.size < keptCountMax) kept.set(key, made);
    return made;
  };

  const combine = async (tree: Tree, values: readonly Uint8Array[]): Promise<Made> => {
    if (typeof tree === 'number') return { kind: 'value', value: values[tree]! };
    // What leans to the left is one task: its values are folded in their order.
    const behind: Tree[] = [];
    let first: Tree = tree;
    while (typeof first !== 'number') {
      behind.unshift(first[1]);
      first = first[0];
    }
    const folded: Uint8Array[] = [values[first]!];
    for (const part of behind) {
      const made = await combine(part, values);
      if (made.kind !== 'value') return made;
      folded.push(made.value);
    }
    return fold(folded);
  };
  const judge = async ({ operands, left, right }: Statement): Promise<Held> => {
    const values: Uint8Array[] = [];
    for (const operand of operands) {
      const made = await make(operand);
      if (made.kind === 'failed') return { kind: 'no-value' };
      if (made.kind === 'unrun') return made;
      values.push(made.value);
    }
    const [one, other] = await Promise.all([combine(left, values), combine(right, values)]);
    if (one.kind === 'unrun') return one;
    if (other.kind === 'unrun') return other;
    // A combine that fails is one outcome of a job, whatever its class.
    if (one.kind === 'failed' && other.kind === 'failed') return { kind: 'failed-alike' };
    return sameMade(one, other) ? { kind: 'held' } : { kind: 'broken', left: one, right: other };
  };
  const subtask: Workbench['subtask'] = (indices, plan) =>
    executor.runSubtask(
      { programPath, parameters, items: indices.map(items.source), plan, itemWallMs: wallMs },
      signal,
    );
  return { make, judge, subtask };
}

export function sameMade(a: Made, b: Made): boolean {
  return a.kind === 'value' && b.kind === 'value'
    ? sameBytes(a.value, b.value)
    : a.kind === 'failed' && b.kind === 'failed';
}

/** What a subtask came to as a whole. */
export function ofSubtask(outcome: SubtaskOutcome): Made {
  if (outcome.kind === 'local') return unrun(`${outcome.class}: ${outcome.reason}`);
  if (outcome.value !== null) return { kind: 'value', value: outcome.value };
  const state = outcome.states.find((one) => one > 1);
  if (state === undefined) return failed('combine failed');
  return failed(placeStates[state as 1 | 2 | 3] ?? 'failed');
}

function ofCall(outcome: CallOutcome): Made {
  switch (outcome.kind) {
    case 'ok':
      return { kind: 'value', value: outcome.value };
    case 'failed':
      return failed(outcome.class);
    case 'local':
      return unrun(`${outcome.class}: ${outcome.reason}`);
  }
}

/** All that a subtask said, as a text: equal for equal outcomes. */
export function subtaskText(outcome: SubtaskOutcome): string {
  if (outcome.kind === 'local') return outcome.reason;
  const { states, hashes, folds, value } = outcome;
  const parts = [states, hashes, folds, value].map((part) => (part === null ? '-' : hex(part)));
  return hash('sha256', parts.join(' '));
}
