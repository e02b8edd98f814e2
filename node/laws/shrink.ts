/** Make a broken statement as small as it can be while it stays broken. */
import type { CutRule } from '../../protocol/execution/manifest.ts';
import { plainStatements, type Statement, withoutOperand } from './law.ts';
import { type ItemBytes, type Origin, simplerOrigins } from './origin.ts';

/** Statements one step smaller, the smallest first. */
export function smallerStatements(
  statement: Statement,
  cut: CutRule,
  itemBytes: ItemBytes,
): Statement[] {
  const { operands } = statement;
  const fewer = operands.flatMap((_, place) => {
    const smaller = operands.length > 2 ? withoutOperand(statement, place) : null;
    return smaller === null ? [] : [smaller];
  });
  const simpler = operands.flatMap((operand, place) =>
    simplerOrigins(operand, cut, itemBytes).map((origin) => ({
      ...statement,
      operands: operands.with(place, origin),
    })),
  );
  return [
    ...plainStatements(statement),
    ...fewer,
    ...simpler,
    ...bothSimpler(statement, cut, itemBytes),
  ];
}

/**
 * Two operands made simpler in the same way, or to the same length: what is broken may be that
 * they are alike.
 */
function bothSimpler(statement: Statement, cut: CutRule, itemBytes: ItemBytes): Statement[] {
  const { operands } = statement;
  const ways = operands.map((operand) => simplerOrigins(operand, cut, itemBytes).slice(0, 32));
  return operands.flatMap((_, a) =>
    operands
      .slice(0, a)
      .flatMap((__, b) =>
        [...alignedPairs(ways[a]!, ways[b]!), ...pairsOfLength(ways[a]!, ways[b]!)].map(
          ([one, other]) => ({ ...statement, operands: operands.with(a, one).with(b, other) }),
        ),
      ),
  );
}

type Pair = readonly [Origin, Origin];

function alignedPairs(a: readonly Origin[], b: readonly Origin[]): Pair[] {
  return a.slice(0, b.length).map((way, at) => [way, b[at]!]);
}

/** The shortest first; of each length one of either side. */
function pairsOfLength(a: readonly Origin[], b: readonly Origin[]): Pair[] {
  const byLength = (ways: readonly Origin[]): Map<number, Origin> => {
    const found = new Map<number, Origin>();
    for (const way of ways)
      if (way.kind === 'made' && !found.has(way.bytes.length)) found.set(way.bytes.length, way);
    return found;
  };
  const others = byLength(b);
  return [...byLength(a)]
    .filter(([length]) => others.has(length))
    .sort(([one], [other]) => one - other)
    .map(([length, way]) => [way, others.get(length)!]);
}

/** How long it goes on: statements tried in all, and whoever may say that it is enough. */
export type ShrinkBounds = {
  readonly triedCountMax?: number;
  readonly enough?: () => boolean;
};

/** Statements that are tried at once. */
const batchCount = 8;

/**
 * Goes from a broken statement to ever smaller ones. Deterministic: of those that are tried at
 * once, the first that is broken is taken.
 */
export async function shrink(
  statement: Statement,
  smaller: (statement: Statement) => readonly Statement[],
  isBroken: (statement: Statement) => Promise<boolean>,
  { triedCountMax = 1_500, enough = () => false }: ShrinkBounds = {},
): Promise<Statement> {
  let current = statement;
  for (let tried = 0; tried < triedCountMax; ) {
    const candidates = smaller(current).slice(0, triedCountMax - tried);
    let next: Statement | undefined;
    for (let at = 0; at < candidates.length && next === undefined; at += batchCount) {
      if (enough()) return current;
      const batch = candidates.slice(at, at + batchCount);
      tried += batch.length;
      const broken = await Promise.all(batch.map(isBroken));
      next = batch.find((_, place) => broken[place]);
    }
    if (next === undefined) break;
    current = next;
  }
  return current;
}
