/** Make up functions as trees, write them as WebAssembly, and interpret them with their fuel. */
import { unsigned } from '../fixtures/programs/assemble.ts';

export type Expression =
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'get'; readonly local: number }
  | {
      readonly kind: 'add' | 'mul' | 'lt';
      readonly a: Expression;
      readonly b: Expression;
    };
export type Statement =
  | { readonly kind: 'set'; readonly local: number; readonly to: Expression }
  | { readonly kind: 'block' | 'loop'; readonly body: readonly Statement[] }
  | {
      readonly kind: 'if';
      readonly test: Expression;
      readonly taken: readonly Statement[];
      readonly other: readonly Statement[] | null;
    }
  | { readonly kind: 'br'; readonly label: number }
  | { readonly kind: 'brIf'; readonly label: number; readonly test: Expression }
  | { readonly kind: 'brTable'; readonly labels: readonly number[]; readonly test: Expression }
  | { readonly kind: 'call'; readonly callee: number; readonly local: number }
  | { readonly kind: 'return' | 'unreachable' };

/** Locals of each function; the first is its parameter and its result. */
export const localCount = 3;

/** A source of small numbers, the same for the same seed. */
export function numbers(seed: number): (below: number) => number {
  let state = (seed * 2 + 1) >>> 0;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}

/** Functions that may call each other, themselves included. */
export function makeUp(seed: number, functions: number): readonly (readonly Statement[])[] {
  const pick = numbers(seed);
  const expression = (depth: number): Expression => {
    const kind = pick(depth > 2 ? 2 : 6);
    if (kind === 0) return { kind: 'const', value: pick(5) };
    if (kind <= 2) return { kind: 'get', local: pick(localCount) };
    const operator = (['add', 'mul', 'lt'] as const)[kind - 3]!;
    return { kind: operator, a: expression(depth + 1), b: expression(depth + 1) };
  };
  const list = (depth: number): Statement[] =>
    Array.from({ length: pick(depth > 4 ? 2 : 4) }, () => statement(depth));
  const statement = (depth: number): Statement => {
    switch (pick(12)) {
      case 0:
      case 1:
        return { kind: 'block', body: list(depth + 1) };
      case 2:
      case 3:
        return { kind: 'loop', body: list(depth + 1) };
      case 4:
      case 5: {
        const taken = list(depth + 1);
        const other = pick(2) === 0 ? null : list(depth + 1);
        return { kind: 'if', test: expression(0), taken, other };
      }
      case 6:
        return pick(3) === 0
          ? { kind: 'br', label: pick(depth + 1) }
          : { kind: 'brIf', label: pick(depth + 1), test: expression(0) };
      case 7:
        return { kind: 'brIf', label: pick(depth + 1), test: expression(0) };
      case 8: {
        if (pick(2) === 0)
          return { kind: 'call', callee: pick(functions), local: pick(localCount) };
        const labels = Array.from({ length: 1 + pick(3) }, () => pick(depth + 1));
        return { kind: 'brTable', labels, test: expression(0) };
      }
      case 9:
        if (pick(4) > 0) return { kind: 'call', callee: pick(functions), local: pick(localCount) };
        return { kind: pick(2) === 0 ? 'return' : 'unreachable' };
      default:
        return { kind: 'set', local: pick(localCount), to: expression(0) };
    }
  };
  return Array.from({ length: functions }, () => [...list(0), ...list(0), statement(0)]);
}

function expressionCode(expression: Expression): number[] {
  switch (expression.kind) {
    case 'const':
      return [0x41, expression.value];
    case 'get':
      return [0x20, expression.local];
    default: {
      const operator = { add: 0x6a, mul: 0x6c, lt: 0x48 }[expression.kind];
      return [...expressionCode(expression.a), ...expressionCode(expression.b), operator];
    }
  }
}

/**
 * The statements as instructions; `return` gives the first local.
 * @param afterSet - What follows each time that a local is set.
 */
export function codeOf(
  statements: readonly Statement[],
  afterSet: readonly number[] = [],
): number[] {
  return statements.flatMap((one) => statementCode(one, afterSet));
}

function statementCode(one: Statement, afterSet: readonly number[]): number[] {
  switch (one.kind) {
    case 'set':
      return [...expressionCode(one.to), 0x21, one.local, ...afterSet];
    case 'block':
      return [0x02, 0x40, ...codeOf(one.body, afterSet), 0x0b];
    case 'loop':
      return [0x03, 0x40, ...codeOf(one.body, afterSet), 0x0b];
    case 'if': {
      const other = one.other === null ? [] : [0x05, ...codeOf(one.other, afterSet)];
      const taken = codeOf(one.taken, afterSet);
      return [...expressionCode(one.test), 0x04, 0x40, ...taken, ...other, 0x0b];
    }
    // The function's own label would take the result along: `return` is tried in its place.
    case 'br':
      return [0x0c, one.label];
    case 'brIf':
      return [...expressionCode(one.test), 0x0d, one.label];
    case 'brTable': {
      const [last = 0, ...rest] = one.labels;
      return [...expressionCode(one.test), 0x0e, ...unsigned(rest.length), ...rest, last];
    }
    case 'call':
      return [0x20, one.local, 0x10, one.callee, 0x21, one.local];
    case 'return':
      return [0x20, 0, 0x0f];
    case 'unreachable':
      return [0x00];
  }
}

/** A function's body: the labels that lead out of the statements lead to the end of a block. */
export const bodyOf = (statements: readonly Statement[]): number[] => [
  ...[0x02, 0x40],
  ...codeOf(statements),
  ...[0x0b, 0x20, 0],
];

export class Trap extends Error {}
export class Exhausted extends Error {}

/** What a function gives, and the sum of the costs of the instructions that it executes. */
export function interpret(
  functions: readonly (readonly Statement[])[],
  { budget, calls }: { readonly budget: number; readonly calls: number },
): (index: number, argument: number) => { readonly value: number; readonly fuel: number } {
  let fuel = 0;
  let open = 0;
  const spend = (cost: number): void => {
    fuel += cost;
    if (fuel > budget) throw new Exhausted();
  };
  const evaluate = (expression: Expression, locals: number[]): number => {
    if (expression.kind === 'const') return expression.value;
    if (expression.kind === 'get') return locals[expression.local]!;
    const [a, b] = [evaluate(expression.a, locals), evaluate(expression.b, locals)];
    spend(expression.kind === 'mul' ? 2 : 1);
    if (expression.kind === 'add') return (a + b) | 0;
    return expression.kind === 'mul' ? Math.imul(a, b) : Number(a < b);
  };
  /** Runs statements; a number counts the constructs that a branch still has to leave. */
  const run = (statements: readonly Statement[], locals: number[]): number | 'return' | null => {
    for (const one of statements) {
      const left = step(one, locals);
      if (left !== null) return left;
    }
    return null;
  };
  const leave = (left: number | 'return' | null): number | 'return' | null =>
    typeof left === 'number' ? (left === 0 ? null : left - 1) : left;
  const step = (one: Statement, locals: number[]): number | 'return' | null => {
    switch (one.kind) {
      case 'set':
        locals[one.local] = evaluate(one.to, locals);
        return null;
      case 'block':
        return leave(run(one.body, locals));
      case 'loop':
        for (;;) {
          spend(1);
          const left = run(one.body, locals);
          if (left !== 0) return leave(left);
        }
      case 'if': {
        const test = evaluate(one.test, locals);
        spend(1);
        return leave(run(test !== 0 ? one.taken : (one.other ?? []), locals));
      }
      case 'br':
        spend(1);
        return one.label;
      case 'brIf': {
        const test = evaluate(one.test, locals);
        spend(1);
        return test !== 0 ? one.label : null;
      }
      case 'brTable': {
        const test = evaluate(one.test, locals);
        spend(3);
        const [last = 0, ...rest] = one.labels;
        return rest[test >>> 0] ?? last;
      }
      case 'call':
        spend(10);
        locals[one.local] = call(one.callee, locals[one.local]!);
        return null;
      case 'return':
        spend(1);
        return 'return';
      case 'unreachable':
        throw new Trap();
    }
  };
  const call = (index: number, argument: number): number => {
    open += 1;
    if (open > calls) throw new Exhausted();
    const locals = [argument, ...new Array<number>(localCount - 1).fill(0)];
    run(functions[index]!, locals);
    open -= 1;
    return locals[0]!;
  };
  return (index, argument) => {
    fuel = 0;
    open = 0;
    const value = call(index, argument);
    return { value, fuel };
  };
}
