/** Write down what a check of the laws did and found, in the one way that names it. */
import { mark } from '../../protocol/assert.ts';
import { type Codec, codec, tryDecode } from '../../protocol/codec/codec.ts';
import {
  bigUint,
  bool,
  bytesUpTo,
  fixedBytes,
  list,
  nullable,
  oneOf,
  type Shape,
  type ShapeOf,
  struct,
  text,
  uint,
  union,
} from '../../protocol/codec/schema.ts';
import { isPlan } from '../../protocol/execution/evaluate.ts';
import { type Cid, isCid } from '../../protocol/merkle/cid.ts';
import { cidBytes, digestBytes, itemBytesMax, itemCountMax } from '../../protocol/params.ts';
import { nameBlob } from '../storage/naming.ts';
import { lawNames, type Tree } from './law.ts';
import { doublingMax, type Origin } from './origin.ts';
import { failedClasses } from './workbench.ts';

/** Version of the form below, and of the rules by which a check draws and judges. */
export const lawReportVersion = 2;

/** Letters of a seed. */
export const seedLengthMax = 128;
export const runCountMax = 10_000_000;
/** Operands of a statement, and items that a check takes. */
export const operandCountMax = 64;
/** First bytes of a value that stand in a report, for whoever reads it. */
export const headBytesMax = 256;
/** Bytes of an item that was made up; of a larger one there is its hash. */
export const madeBytesMax = 512;
const nodeCountMax = 4_096;
const fuelMax = 2n ** 63n - 1n;

export const verdicts = ['refuted', 'none-found', 'untested'] as const;
export type LawVerdict = (typeof verdicts)[number];

/** Ways of coming to the values that a check combines. */
export const poolGroups = ['items', 'made', 'samples', 'folds', 'doubled'] as const;
export type PoolGroup = (typeof poolGroups)[number];

const count = uint(2 ** 40);
function counts<const W extends string>(words: readonly W[]): Shape<Readonly<Record<W, number>>> {
  const fields = Object.fromEntries(words.map((word) => [word, count]));
  return struct(fields as { readonly [K in W]: Shape<number> });
}

const placesShape = list(uint(itemCountMax - 1), operandCountMax, 1);

/** One step of how a value comes about; a fold takes the last so many, a doubling the last one. */
const originNodeShape = union({
  item: struct({ index: uint(itemCountMax - 1) }),
  made: struct({ bytes: bytesUpTo(madeBytesMax) }),
  large: struct({ bytes: uint(itemBytesMax, madeBytesMax + 1), hash: fixedBytes(digestBytes) }),
  sample: struct({ seed: fixedBytes(32) }),
  fold: struct({ parts: uint(operandCountMax, 1) }),
  doubled: struct({ times: uint(doublingMax, 1) }),
  empty: struct({}),
});
export type OriginNode = ShapeOf<typeof originNodeShape>;

const sideShape = union({
  value: struct({
    bytes: uint(itemBytesMax),
    hash: fixedBytes(digestBytes),
    head: bytesUpTo(headBytesMax),
  }),
  failed: struct({ class: oneOf(failedClasses) }),
});
export type Side = ShapeOf<typeof sideShape>;

/** A tree in postfix: the place of an operand plus one, or 0 for a combine of the last two. */
const treeShape = list(uint(operandCountMax), 2 * operandCountMax - 1, 1);

const exampleShape = struct({
  law: oneOf(lawNames),
  operands: list(
    struct({ origin: list(originNodeShape, nodeCountMax, 1), value: sideShape }),
    operandCountMax,
    1,
  ),
  left: treeShape,
  right: treeShape,
  leftValue: sideShape,
  rightValue: sideShape,
});
/** A law that does not hold, by the smallest example that was found. */
export type Example = ShapeOf<typeof exampleShape>;

const boundsShape = struct({
  items: uint(operandCountMax),
  made: uint(1_024),
  samples: uint(1_024),
  folds: uint(1_024),
  doubled: uint(1_024),
  shrunk: uint(10_000),
  callFuel: bigUint(fuelMax),
  fuel: bigUint(fuelMax),
});
/** How much a check looks at, at most: values by origin, smaller examples, fuel. */
export type CheckBounds = ShapeOf<typeof boundsShape>;

const reportShape = struct({
  version: uint(lawReportVersion, lawReportVersion),
  program: fixedBytes(cidBytes),
  rewriter: uint(2 ** 16),
  costTable: uint(2 ** 16),
  /** SHA-256 of the parameters. */
  parameters: fixedBytes(digestBytes),
  input: union({
    none: struct({}),
    /** Which items of the input were taken, and the RFC 9162 root of their content ids. */
    list: struct({ places: placesShape, root: fixedBytes(digestBytes) }),
    generated: struct({ places: placesShape }),
  }),
  /** Whether these items are combined with each other in orders that differ from seat to seat. */
  together: bool,
  seed: text(seedLengthMax),
  runs: uint(runCountMax),
  bounds: boundsShape,
  verdict: oneOf(verdicts),
  /** What was asked of each law. */
  tried: counts(lawNames),
  /**
   * Statements of which both sides failed; of which one did, and that refute nothing; and of which
   * a side took more fuel than a call may.
   */
  failedAlike: count,
  oneSided: count,
  dear: count,
  /** Values by origin, and origins that gave none. */
  pool: counts(poolGroups),
  refusedItems: count,
  fuel: bigUint(fuelMax),
  example: nullable(exampleShape),
});
/** What a check did and found. The same check on any machine gives the same bytes. */
export type LawReport = ShapeOf<typeof reportShape>;

/** Bytes of a report, at most. */
export const lawReportBytesMax = 1_048_576;
export const lawReportCodec: Codec<LawReport> = codec('law report', lawReportBytesMax, reportShape);

/** A report as it is kept and passed on. */
export type LawBlob = { readonly cid: Cid; readonly bytes: Uint8Array };

export function lawBlob(report: LawReport): LawBlob {
  const bytes = lawReportCodec.encode(report);
  return { cid: nameBlob(bytes).cid, bytes };
}

/** Reads a report; null for bytes that no check writes. */
export function readLawReport(bytes: Uint8Array): LawReport | null {
  const report = tryDecode(lawReportCodec, bytes);
  if (report === null) {
    mark('T1');
    return null;
  }
  const { program, example, verdict, input, bounds, tried } = report;
  if (!isCid(program)) {
    mark('T2');
    return null;
  }
  const places = input.kind === 'none' ? [] : input.places;
  if (places.length > bounds.items || places.some((place, at) => place <= (places[at - 1] ?? -1))) {
    mark('T3');
    return null;
  }
  // Nothing is said of laws that nobody could test; what broke needs no more.
  const isTold = verdict === 'refuted' ? example !== null : example === null;
  if (!isTold || (verdict === 'none-found' && tried.associative === 0)) {
    mark('T4');
    return null;
  }
  if (example !== null && !isExample(example)) {
    mark('T5');
    return null;
  }
  if (example !== null && isOneSided(example) && !(report.together && isOfOneJob(example))) {
    mark('T13');
    return null;
  }
  mark('T6');
  return report;
}

function isExample({ law, operands, left, right, leftValue, rightValue }: Example): boolean {
  const isWhole = (tree: readonly number[]): boolean =>
    isPlan(
      tree.map((place) => place - 1),
      operands.length,
    );
  // Beside the empty value stands the other one alone.
  const whole = isWhole(left) && (law === 'identity' ? right.join() === '1' : isWhole(right));
  const other = law === 'replay' || left.join() !== right.join();
  const differ =
    leftValue.kind !== rightValue.kind ||
    law === 'replay' ||
    (leftValue.kind === 'value' &&
      rightValue.kind === 'value' &&
      Buffer.compare(leftValue.hash, rightValue.hash) !== 0);
  return whole && other && differ && operands.every(({ origin }) => isOrigin(origin));
}

/** Whether one side of an example failed where the other gave bytes. */
function isOneSided({ law, leftValue, rightValue }: Example): boolean {
  return law !== 'replay' && leftValue.kind !== rightValue.kind;
}

/**
 * Whether a report refutes its program, under its parameters, for whatever input. Where a side
 * failed, it only tells that seats come to no agreement on the very items that were taken.
 */
export function refutesProgram({ verdict, example }: LawReport): boolean {
  return verdict === 'refuted' && example !== null && !isOneSided(example);
}

/** Whether the operands are folded of items of the job, each of them once. */
function isOfOneJob({ operands }: Example): boolean {
  const nodes = operands.flatMap(({ origin }) => origin);
  const items = nodes.flatMap((node) => (node.kind === 'item' ? [node.index] : []));
  const others = nodes.some(({ kind }) => kind !== 'item' && kind !== 'fold');
  return !others && new Set(items).size === items.length;
}

/** Whether the steps come down to one value. */
function isOrigin(nodes: readonly OriginNode[]): boolean {
  let depth = 0;
  for (const node of nodes) {
    const taken = node.kind === 'fold' ? node.parts : node.kind === 'doubled' ? 1 : 0;
    if (taken > depth) return false;
    depth += 1 - taken;
  }
  return depth === 1;
}

/** The steps of an origin. `sha256` names what is too large to be told. */
export function originNodes(
  origin: Origin,
  sha256: (bytes: Uint8Array) => Uint8Array,
): OriginNode[] {
  switch (origin.kind) {
    case 'made': {
      const { bytes } = origin;
      return bytes.length <= madeBytesMax
        ? [{ kind: 'made', bytes }]
        : [{ kind: 'large', bytes: bytes.length, hash: sha256(bytes) }];
    }
    case 'fold': {
      const parts = origin.parts.flatMap((part) => originNodes(part, sha256));
      return [...parts, { kind: 'fold', parts: origin.parts.length }];
    }
    case 'doubled':
      return [...originNodes(origin.part, sha256), { kind: 'doubled', times: origin.times }];
    default:
      return [origin];
  }
}

/** A tree in postfix. */
export function treeNodes(tree: Tree): number[] {
  return typeof tree === 'number' ? [tree + 1] : [...treeNodes(tree[0]), ...treeNodes(tree[1]), 0];
}

/** The tree of a postfix that {@link readLawReport} let pass. */
export function treeOf(nodes: readonly number[]): Tree {
  const stack: Tree[] = [];
  for (const node of nodes) {
    if (node > 0) stack.push(node - 1);
    else {
      const right = stack.pop()!;
      stack.push([stack.pop()!, right]);
    }
  }
  return stack[0]!;
}
