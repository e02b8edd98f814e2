/** Tell what a check of the laws tried and found, to people and to programs. */
import { isUtf8 } from 'node:buffer';
import { hex } from '../../protocol/brand.ts';
import { formatCid } from '../../protocol/merkle/cid.ts';
import { nativeSha256 } from '../crypto.ts';
import type { Check } from './check.ts';
import { formula, type LawName, lawNames, lawTexts, letter } from './law.ts';
import { shownBytes } from './origin.ts';
import type { Refused } from './pool.ts';
import {
  type Example,
  type LawReport,
  type OriginNode,
  originNodes,
  type Side,
  treeOf,
} from './report.ts';
import type { Subject } from './subject.ts';

/** How the program itself shows a value; null where it does not, or not in a line. */
export type Shown = (side: Side) => string | null;

const nothingShown: Shown = () => null;

/** Code of a law that was refuted. */
export function lawCode(law: LawName): `LAW_${Uppercase<LawName>}` {
  return `LAW_${law.toUpperCase() as Uppercase<LawName>}`;
}

const renderedMax = 120;
/** Fuel of showing one value. */
const renderFuel = 2n ** 28n;

/** Renders the values of an example, as far as they make a line of text. */
export async function renderValues(
  { program, programPath, parameters, executor, signal }: Subject,
  { values }: Check,
): Promise<Shown> {
  const shown = new Map<string, string>();
  for (const [hash, value] of program.exports.render ? values : []) {
    const outcome = await executor.render(programPath, parameters, value, renderFuel, signal);
    if (outcome.kind !== 'ok' || outcome.value.length > renderedMax) continue;
    const text = Buffer.from(outcome.value).toString('utf8');
    if (isUtf8(outcome.value) && /^[^\p{C}\u2028\u2029]+$/u.test(text)) shown.set(hash, text);
  }
  return (side) => (side.kind === 'value' ? (shown.get(hex(side.hash)) ?? null) : null);
}

/**
 * The report in lines, the verdict last.
 * @param fails - Whether the program failed on the items themselves: then little is said by it.
 */
export function reportLines(check: Check, shown: Shown, again: string, fails = false): string[] {
  const { report, blob, notTried, warning } = check;
  const { tried, pool, refusedItems, failedAlike, oneSided, dear, example, seed, runs } = report;
  const nothing = combinesNothing(report);
  const lines = lawNames.flatMap((law) => lawLine(law, check) ?? []);
  const counts = Object.entries(pool).map(
    ([group, count]) => `${count} ${groupWords[group as keyof typeof pool]}`,
  );
  lines.push(`on    ${counts.join(', ')}; ${refusedItems} items or folds gave no value`);
  if (failedAlike > 0)
    lines.push(`      ${failedAlike} of the statements say nothing: combine failed on both sides`);
  if (oneSided > 0)
    lines.push(`WARN  ${oneSided} of the statements say little: combine failed on one side only`);
  if (dear > 0) lines.push(`not   ${dear} statements: a side takes more fuel than is granted here`);
  for (const what of notTried) lines.push(`not   ${what}`);
  if (example !== null) lines.push('', ...exampleLines(example, shown), '');
  if (warning !== null)
    lines.push('', ...exampleLines(warning, shown).slice(0, -1), warningRemedy, '');
  if (blob !== null) lines.push(`report ${formatCid(blob.cid)}`);
  const seeded = `seed ${seed}, ${runs} runs`;
  switch (report.verdict) {
    case 'refuted': {
      const { law } = example!;
      return [...lines, `again: ${again}`, `REFUTED: ${law} (${lawCode(law)}), ${seeded}`];
    }
    case 'untested':
      return [...lines, `CANNOT TELL: the laws could not be tested (LAWS_UNTESTED), ${seeded}`];
    case 'none-found':
      if (fails || nothing) return [...lines, `no law is refuted, ${seeded}`];
      return [
        ...lines,
        `A fault in more than ${missedShare(tried.associative)} of such triples would have shown, but once in 1000.`,
        `no counterexample found${oneSided > 0 ? ' but what WARN says' : ''}, ${seeded}`,
      ];
  }
}

/** What became of one law, in a line; null where nothing of it was tried. */
function lawLine(
  law: LawName,
  { report, foundLaw, failedItems }: Pick<Check, 'report' | 'foundLaw' | 'failedItems'>,
): string | null {
  const { tried, example, input } = report;
  const told = (mark: string, says = lawTexts[law].says): string =>
    `${mark.padEnd(4)}  ${law}: ${says} (${tried[law]} tried)`;
  // A broken order is shown as the plain law that it comes down to, of which none was drawn.
  if (example?.law === law && tried[law] === 0)
    return `FAIL  ${law}: ${lawTexts[law].says} (found in a broken ${foundLaw})`;
  if (tried[law] === 0) return null;
  if (example?.law === law || foundLaw === law) return told('FAIL');
  const taken = input.kind === 'none' ? 0 : input.places.length;
  const failed = `${failedItems} of ${taken} items failed`;
  if (failedItems > 0 && law === 'order')
    return told('none', `${failed}, in each order; no values were compared`);
  const others = failedItems === taken ? 'no values' : 'only values of items before them';
  if (failedItems > 0 && law === 'replay')
    return told('none', `${failed}, alike each time; ${others} were compared`);
  return told(combinesNothing(report) && combinedLaws.includes(law) ? 'none' : 'ok');
}

/** The laws of which a statement says nothing where combine fails on both of its sides. */
const combinedLaws: readonly LawName[] = ['commutative', 'associative', 'canonical'];

/** Whether no two values could be combined: then no law was tested, whatever was tried. */
export function combinesNothing({ failedAlike, tried }: LawReport): boolean {
  return failedAlike > 0 && failedAlike >= combinedLaws.reduce((sum, law) => sum + tried[law], 0);
}

const groupWords = {
  items: 'items',
  made: 'items made up',
  samples: 'samples of anw_sample',
  folds: 'partial folds',
  doubled: 'doublings',
};

/** The share of triples at which `count` of them pass over a fault once in a thousand times. */
function missedShare(count: number): string {
  return `${(100 * (1 - 0.001 ** (1 / Math.max(count, 1)))).toPrecision(2)} %`;
}

/** An example in lines, the remedy last. */
export function exampleLines(example: Example, shown: Shown = nothingShown): string[] {
  const { operands, law, left, right, leftValue, rightValue } = example;
  const lines = operands.map(
    ({ origin, value }, place) =>
      `  ${letter(place)} = ${describeOrigin(origin)}\n      ${sideText(value, shown)}`,
  );
  return [
    `With + for combine, ${lawTexts[law].says}, but:`,
    ...lines,
    `  ${formula(treeOf(left))}\n      ${sideText(leftValue, shown)}`,
    `  ${formula(treeOf(right))}\n      ${sideText(rightValue, shown)}`,
    remedyOf(example),
  ];
}

/** What an author is told of values that no item at hand came to, the remedy last. */
const warningRemedy =
  'No fold of the items that were given comes to this, so that nothing is refuted. A job that does ' +
  'come to it within a subtask may have no result: its seats fold in orders of their own, some ' +
  'fail and others do not. ' +
  'If such values can occur, let anw_map refuse the items, or let combine wrap or widen.';

/** What to do about a law that is broken; another thing where combine failed than where it erred. */
export function remedyOf({ law, leftValue, rightValue }: Example): string {
  const failed = [leftValue, rightValue].find(({ kind }) => kind === 'failed');
  if (law === 'replay' || failed?.kind !== 'failed') return lawTexts[law].remedy;
  return (
    `Combine fails on one way and not on the other (${failed.class}): look at what it does with ` +
    'these values; it has to give a value for any two.'
  );
}

/** A value as bytes, with what the program shows of it, or else as the number that it may be. */
function sideText(side: Side, shown: Shown): string {
  if (side.kind === 'failed') return `failed: ${side.class}`;
  const { head, bytes } = side;
  const rendered = shown(side);
  if (rendered !== null) return `${shownBytes(head, bytes)}, shown as ${rendered}`;
  if (bytes !== 8 || head.length !== 8) return shownBytes(head, bytes);
  const view = new DataView(head.buffer, head.byteOffset, 8);
  const integer = view.getBigInt64(0, true);
  const text = shownBytes(head);
  const letters = text.startsWith('"') ? `, ${text} as a text` : '';
  return `0x${hex(head)}: ${integer} as an integer, ${view.getFloat64(0, true)} as a float${letters}`;
}

/** How a value comes about, in a line of text. */
export function describeOrigin(nodes: readonly OriginNode[]): string {
  const stack: string[] = [];
  for (const node of nodes)
    switch (node.kind) {
      case 'item':
        stack.push(`map of item ${node.index}`);
        break;
      case 'made':
        stack.push(`map of ${shownBytes(node.bytes)}`);
        break;
      case 'large':
        stack.push(`map of ${node.bytes} bytes with SHA-256 ${hex(node.hash)}`);
        break;
      case 'sample':
        stack.push(`anw_sample of ${hex(node.seed).replace(/(00)+$/, '') || '00'}…`);
        break;
      case 'fold':
        stack.push(`fold of (${stack.splice(-node.parts).join(', ')})`);
        break;
      case 'doubled':
        stack.push(`${stack.pop()}, combined with itself ${2 ** node.times - 1} times`);
        break;
      case 'empty':
        stack.push('the empty value');
    }
  return stack.join(', ');
}

/** An origin that gave no value, and why, in a line. */
export function refusedText({ origin, made }: Refused): string {
  const said = made.said === undefined ? '' : ` (${made.said})`;
  return `${describeOrigin(originNodes(origin, nativeSha256))}: ${made.class}${said}`;
}

/** The report as a document. */
export function reportDocument(
  { report, blob, notTried, warning, failedItems, refused }: Check,
  shown: Shown,
  again: string,
) {
  const { example } = report;
  return {
    verdict: report.verdict,
    report: blob === null ? null : formatCid(blob.cid),
    seed: report.seed,
    runs: report.runs,
    tried: report.tried,
    failed_alike: report.failedAlike,
    one_sided: report.oneSided,
    dear: report.dear,
    pool: report.pool,
    refused_items: report.refusedItems,
    failed_items: failedItems,
    first_refused: refused === null ? null : refusedText(refused),
    fuel: String(report.fuel),
    not_tried: notTried,
    counterexample: example === null ? null : { ...exampleDocument(example, shown), again },
    warning:
      warning === null
        ? null
        : { ...exampleDocument(warning, shown), remedy: warningRemedy, again },
  };
}

/** An example as a document. */
export function exampleDocument(example: Example, shown: Shown = nothingShown) {
  const { law, operands } = example;
  const side = (one: Side) =>
    one.kind === 'value' ? { bytes: one.bytes, hex: hex(one.head), shown: shown(one) } : one;
  return {
    law,
    code: lawCode(law),
    says: lawTexts[law].says,
    remedy: remedyOf(example),
    operands: operands.map(({ origin, value }, place) => ({
      name: letter(place),
      origin: describeOrigin(origin),
      value: side(value),
    })),
    left: { formula: formula(treeOf(example.left)), value: side(example.leftValue) },
    right: { formula: formula(treeOf(example.right)), value: side(example.rightValue) },
  };
}

/** A verdict in a line, such as a log has. */
export function verdictText({ verdict, example }: LawReport): string {
  return example === null ? verdict : `${verdict}: ${example.law} (${lawCode(example.law)})`;
}
