/** Tell what a check of the laws tried and found, to people and to programs. */
import { hex } from '../../protocol/brand.ts';
import type { CheckReport, Counterexample } from './check.ts';
import type { Ground } from './items.ts';
import { formula, type LawName, lawNames, lawTexts, letter } from './law.ts';
import { describeOrigin, type Origin, shownBytes } from './origin.ts';
import type { Made } from './workbench.ts';

/** How the program itself shows a value; null where it does not, or not in a line. */
export type Shown = (made: Made) => string | null;

/** Code of a law that was refuted. */
export function lawCode(law: LawName): string {
  return `LAW_${law.toUpperCase()}`;
}

const renderedMax = 120;

/** Renders the values of a counterexample, as far as they make a line of text. */
export async function renderValues(
  { program, programPath, parameters, executor, wallMs, signal }: Ground,
  counterexample: Counterexample | null,
): Promise<Shown> {
  const shown = new Map<Made, string>();
  const { values = [], left, right } = counterexample ?? {};
  for (const made of [...values, left, right]) {
    if (made?.kind !== 'value' || !program.exports.render) continue;
    const outcome = await executor.render(programPath, parameters, made.value, wallMs, signal);
    if (outcome.kind !== 'ok' || outcome.value.length > renderedMax) continue;
    const text = Buffer.from(outcome.value).toString('latin1');
    if (/^[\x20-\x7e]+$/.test(text)) shown.set(made, text);
  }
  return (made) => shown.get(made) ?? null;
}

type Told = { readonly seed: string; readonly runs: number; readonly again: string };

/** The report in lines, the verdict last. */
export function reportLines(report: CheckReport, shown: Shown, told: Told): string[] {
  const { tried, pool, refusedItems, failedAlike, notTried, counterexample } = report;
  const lines = lawNames
    .filter((law) => tried[law] > 0)
    .map(
      (law) =>
        `${counterexample?.statement.law === law ? 'FAIL' : 'ok  '}  ${law}: ` +
        `${lawTexts[law].says} (${tried[law]} tried)`,
    );
  const counts = Object.entries(pool).map(
    ([group, count]) => `${count} ${groupWords[group as keyof typeof pool]}`,
  );
  lines.push(`on    ${counts.join(', ')}; ${refusedItems} items or folds gave no value`);
  if (failedAlike > 0) lines.push(`      ${failedAlike} combines failed on both sides alike`);
  for (const what of notTried) lines.push(`not   ${what}`);
  if (counterexample !== null) lines.push('', ...exampleLines(counterexample, shown), '');
  const seeded = `seed ${told.seed}, ${told.runs} runs`;
  switch (report.verdict) {
    case 'refuted': {
      const { law } = counterexample!.statement;
      return [...lines, `again: ${told.again}`, `REFUTED: ${law} (${lawCode(law)}), ${seeded}`];
    }
    case 'untested':
      return [...lines, `CANNOT TELL: the laws could not be tested (LAWS_UNTESTED), ${seeded}`];
    case 'none-found':
      return [
        ...lines,
        `A fault in more than ${missedShare(tried.associative)} of such triples would have shown, but once in 1000.`,
        `no counterexample found, ${seeded}`,
      ];
  }
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

function exampleLines({ statement, values, left, right }: Counterexample, shown: Shown): string[] {
  const { operands, law } = statement;
  const lines = operands.map(
    (operand, place) =>
      `  ${letter(place)} = ${describeOrigin(operand)}\n      ${madeText(values[place]!, shown)}`,
  );
  return [
    `With + for combine, ${lawTexts[law].says}, but:`,
    ...lines,
    `  ${formula(statement.left)}\n      ${madeText(left, shown)}`,
    `  ${formula(statement.right)}\n      ${madeText(right, shown)}`,
    lawTexts[law].remedy,
  ];
}

/** A value as bytes, with what the program shows of it, or else as the number that it may be. */
function madeText(made: Made, shown: Shown): string {
  if (made.kind === 'failed') return `failed: ${made.class}`;
  if (made.kind === 'unrun') return `not run: ${made.reason}`;
  const { value } = made;
  const rendered = shown(made);
  if (rendered !== null) return `${shownBytes(value)}, shown as ${rendered}`;
  if (value.length !== 8) return shownBytes(value);
  const view = new DataView(value.buffer, value.byteOffset, 8);
  const integer = view.getBigInt64(0, true);
  return `0x${hex(value)}: ${integer} as an integer, ${view.getFloat64(0, true)} as a float`;
}

/** The report as a document. */
export function reportDocument(report: CheckReport, shown: Shown, told: Told) {
  const { counterexample, ...rest } = report;
  const side = (made: Made) =>
    made.kind === 'value'
      ? { bytes: made.value.length, hex: hex(made.value.subarray(0, 256)), shown: shown(made) }
      : made;
  return {
    verdict: rest.verdict,
    seed: told.seed,
    runs: told.runs,
    tried: rest.tried,
    failed_alike: rest.failedAlike,
    pool: rest.pool,
    refused_items: rest.refusedItems,
    not_tried: rest.notTried,
    counterexample:
      counterexample === null
        ? null
        : {
            law: counterexample.statement.law,
            code: lawCode(counterexample.statement.law),
            says: lawTexts[counterexample.statement.law].says,
            remedy: lawTexts[counterexample.statement.law].remedy,
            operands: counterexample.statement.operands.map((operand: Origin, place) => ({
              name: letter(place),
              origin: describeOrigin(operand),
              value: side(counterexample.values[place]!),
            })),
            left: {
              formula: formula(counterexample.statement.left),
              ...{ value: side(counterexample.left) },
            },
            right: {
              formula: formula(counterexample.statement.right),
              ...{ value: side(counterexample.right) },
            },
            again: told.again,
          },
  };
}
