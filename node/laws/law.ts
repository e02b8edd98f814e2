/** State the laws of combine as pairs of trees that have to come to the same bytes. */
import type { Stream } from '../../protocol/crypto/stream.ts';
import { jobItems, type Origin } from './origin.ts';

export const lawNames = [
  'commutative',
  'associative',
  'identity',
  'canonical',
  'order',
  'replay',
] as const;
export type LawName = (typeof lawNames)[number];

/** A value by its place among operands, or a combine of two. */
export type Tree = number | readonly [Tree, Tree];

/** Two ways to one value; if a law holds, both come to the same bytes or both fail. */
export type Statement = {
  readonly law: LawName;
  readonly operands: readonly Origin[];
  readonly left: Tree;
  readonly right: Tree;
};

export function commutes(a: Origin, b: Origin): Statement {
  return { law: 'commutative', operands: [a, b], left: [0, 1], right: [1, 0] };
}

export function associates(a: Origin, b: Origin, c: Origin): Statement {
  return {
    law: 'associative',
    operands: [a, b, c],
    left: [[0, 1], 2],
    right: [0, [1, 2]],
  };
}

/** The empty value on one side changes nothing. */
export function keeps(a: Origin, side: 'left' | 'right'): Statement {
  const left: Tree = side === 'left' ? [1, 0] : [0, 1];
  return { law: 'identity', operands: [a, { kind: 'empty' }], left, right: 0 };
}

/** All that can be said of how up to three values are combined. */
export function allOfThree(operands: readonly Origin[]): Statement[] {
  const pairs = operands.flatMap((a, at) => operands.slice(at + 1).map((b) => commutes(a, b)));
  const [a, b, c] = operands;
  if (a === undefined || b === undefined || c === undefined) return pairs;
  const orders = [
    ...[[a, b, c] as const, [a, c, b] as const, [b, a, c] as const],
    ...[[b, c, a] as const, [c, a, b] as const, [c, b, a] as const],
  ];
  return [...pairs, ...orders.map((order) => associates(...order))];
}

/** The same values in two orders and brackets. */
export function agrees(law: LawName, operands: readonly Origin[], draw: Stream): Statement {
  const { length } = operands;
  return { law, operands, left: leftTree(length), right: drawnTree(length, draw) };
}

/** Whether a statement is of items of the job alone, and has none of them twice: a fold of it. */
export function isOfJob({ operands }: Pick<Statement, 'operands'>): boolean {
  const items = operands.map(jobItems);
  if (items.includes(null)) return false;
  const all = items.flatMap((some) => some ?? []);
  return new Set(all).size === all.length;
}

/** Combines from left to right. */
export function leftTree(count: number): Tree {
  let tree: Tree = 0;
  for (let place = 1; place < count; place++) tree = [tree, place];
  return tree;
}

/** A tree over `count` places whose order and bracket are drawn. */
export function drawnTree(count: number, draw: Stream): Tree {
  const trees: Tree[] = draw.shuffled(count);
  while (trees.length > 1) {
    const at = draw.below(trees.length - 1);
    trees.splice(at, 2, [trees[at]!, trees[at + 1]!]);
  }
  return trees[0]!;
}

/** The plan of a subtask that combines as the tree does. */
export function planOf(tree: Tree): number[] {
  return typeof tree === 'number' ? [tree] : [...planOf(tree[0]), ...planOf(tree[1]), -1];
}

/** The tree without one place, those above it moved down; null when nothing is left. */
function pruned(tree: Tree, place: number): Tree | null {
  if (typeof tree === 'number') return tree === place ? null : tree > place ? tree - 1 : tree;
  const [left, right] = [pruned(tree[0], place), pruned(tree[1], place)];
  return left === null ? right : right === null ? left : [left, right];
}

/** The statement with one operand less; null where it would say nothing any more. */
export function withoutOperand(statement: Statement, place: number): Statement | null {
  const [left, right] = [pruned(statement.left, place), pruned(statement.right, place)];
  if (left === null || right === null || sameTree(left, right)) return null;
  const operands = statement.operands.filter((_, at) => at !== place);
  return named({ ...statement, operands, left, right });
}

/**
 * Plain laws at the nodes of an order's two trees. One order becomes another by such steps only,
 * so that one of these is likely to be the law that is broken.
 */
export function plainStatements({ law, operands, left, right }: Statement): Statement[] {
  if (law !== 'order' && law !== 'canonical') return [];
  const origin = (tree: Tree): Origin =>
    typeof tree === 'number'
      ? operands[tree]!
      : { kind: 'fold', parts: [origin(tree[0]), origin(tree[1])] };
  const found: Statement[] = [];
  const visit = (tree: Tree): void => {
    if (typeof tree === 'number') return;
    const [a, b] = tree;
    visit(a);
    visit(b);
    found.push(commutes(origin(a), origin(b)));
    if (typeof a !== 'number') found.push(associates(origin(a[0]), origin(a[1]), origin(b)));
    if (typeof b !== 'number') found.push(associates(origin(a), origin(b[0]), origin(b[1])));
  };
  visit(left);
  visit(right);
  const some = operands.slice(0, 5);
  for (const a of some)
    for (const b of some)
      for (const c of some) if (a !== b && b !== c && a !== c) found.push(associates(a, b, c));
  return found;
}

function sameTree(a: Tree, b: Tree): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return sameTree(a[0], b[0]) && sameTree(a[1], b[1]);
}

/** Gives the statement its plain name, where order and bracket came down to one. */
function named(statement: Statement): Statement {
  const { law, left, right, operands } = statement;
  if (law !== 'order' && law !== 'canonical') return statement;
  if (operands.length === 2) return { ...statement, law: 'commutative' };
  const leaves = planOf(left).filter((place) => place >= 0);
  const others = planOf(right).filter((place) => place >= 0);
  return leaves.every((place, at) => place === others[at])
    ? { ...statement, law: 'associative' }
    : statement;
}

/** A tree as a formula over the letters of its operands. */
export function formula(tree: Tree, nested = false): string {
  if (typeof tree === 'number') return letter(tree);
  const text = `${formula(tree[0], true)} + ${formula(tree[1], true)}`;
  return nested ? `(${text})` : text;
}

/** The letter of an operand: a to z, then a1 and so on. */
export function letter(place: number): string {
  const round = Math.floor(place / 26);
  return `${String.fromCharCode(97 + (place % 26))}${round === 0 ? '' : round}`;
}

/** What each law says, and what to do about a program that breaks it. */
export const lawTexts: Readonly<
  Record<LawName, { readonly says: string; readonly remedy: string }>
> = {
  commutative: {
    says: 'combine(a, b) and combine(b, a) are the same bytes',
    remedy:
      'Let both sides count alike: add, take the larger, merge what is sorted. What keeps the ' +
      'first, appends, or subtracts depends on the order; carry a position and sort in anw_render.',
  },
  associative: {
    says: 'combine(combine(a, b), c) and combine(a, combine(b, c)) are the same bytes',
    remedy:
      'Add integers, or fixed point, instead of floats; carry a sum and a count instead of an ' +
      'average; wrap or widen instead of saturating; cut lists to size only in anw_render.',
  },
  identity: {
    says: 'combining with the empty value changes nothing',
    remedy: 'The host sees to this law; report this as a bug of the node.',
  },
  canonical: {
    says: 'the same values, in any order and bracket, come to the same bytes',
    remedy:
      'Write a value in one way only: keys sorted, no duplicates, no spare bytes, no capacity, ' +
      'no padding that was not set.',
  },
  order: {
    says: 'the items, in any order and bracket, come to the same bytes',
    remedy: 'Let combine depend on what the values are, not on when or where they came.',
  },
  replay: {
    says: 'the same item gives the same bytes each time',
    remedy:
      'Read only what was given: memory that nobody wrote, or the payload of a NaN, may differ.',
  },
};
