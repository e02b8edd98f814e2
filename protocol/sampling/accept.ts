/** Say how many must agree, exactly: the table L(d). */
import { assert, mark } from '../assert.ts';
import { add, one, type Ratio, ratio, smaller, zero } from '../ratio.ts';

/** What a table follows from. */
export type TableQuestion = {
  /** Seats n that the draw permutes. */
  readonly seats: number;
  /** Seats assumed adversarial, K. */
  readonly adversarial: number;
  /** Probability with which a wrong value may become acceptable in one lane, delta'. */
  readonly loss: Ratio;
  /** Votes below which no row lies: the seats of a lane, so that a quiet lane needs all of them. */
  readonly votesMin?: number;
};

/** What a lane asks after each block: how many votes are enough beside `others` other seats. */
export type AcceptTable = TableQuestion & {
  /** `min(L(others), K + 1)`; rows are computed when they are first asked for. */
  readonly needed: (others: number) => number;
};

/** Tables that are kept; the one that was longest not asked for goes first. */
const rememberedTableCountMax = 64;

// What is remembered can never be seen: it follows from its key.
const remembered = new Map<string, AcceptTable>();

/** The accept table of a lane, extended as far as it is asked for. */
export function laneTable({ seats, adversarial, loss, votesMin = 1 }: TableQuestion): AcceptTable {
  const key = `${seats}/${adversarial}/${loss.numerator}/${loss.denominator}/${votesMin}`;
  let table = remembered.get(key);
  remembered.delete(key);
  if (table === undefined) {
    const row = rowsOf({ seats, adversarial, loss, votesMin });
    const needed = (others: number): number => capped(row(others), adversarial);
    table = { seats, adversarial, loss, votesMin, needed };
    const [oldest] = remembered.keys();
    if (remembered.size >= rememberedTableCountMax) remembered.delete(oldest!);
  }
  remembered.set(key, table);
  return table;
}

/** The first `rows` rows of a table: `L(0) … L(rows - 1)`. */
export function acceptTable(question: TableQuestion & { readonly rows: number }): number[] {
  const row = rowsOf(question);
  return Array.from({ length: question.rows }, (_, others) => row(others));
}

/** `min(L(d), K + 1)`, from rows that reach d or reach the cap. */
export function needed(table: readonly number[], others: number, adversarial: number): number {
  const row = table[Math.min(others, table.length - 1)] ?? 0;
  assert(others < table.length || row > adversarial, 'a table has the row that is asked for');
  return capped(row, adversarial);
}

function capped(row: number, adversarial: number): number {
  mark('S2');
  return Math.min(row, adversarial + 1);
}

/**
 * Rows of a table, one after the other.
 *
 * A path goes from (0, 0) by honest and by bad seats, in the order of the draw; row d absorbs it
 * where the bad become L(d). `paths[b]` counts those that reach d honest and b bad unabsorbed, so
 * that h_d = paths[L - 1] ff(K, L) ff(n - K, d) / ff(n, L + d), with ff the falling factorial. L(d)
 * is the least L, not below the row before, with h_d <= loss w_d. Integers only: a double says
 * that 0.1^9 is above 1e-9.
 * @see spec/protocol/sampling.md S1
 */
function rowsOf(question: TableQuestion): (others: number) => number {
  const { seats, adversarial, loss } = question;
  assert(seats >= 1 && adversarial >= 0 && adversarial <= seats, 'bad seats are seats');
  assert(loss.numerator > 0n, 'a loss of nothing needs no table');
  const rows: number[] = [];
  const honestSeats = seats - adversarial;
  let paths: bigint[] = [];
  let votes = Math.min(question.votesMin ?? 1, adversarial + 1);
  let bad = falling(adversarial, votes); // ff(K, votes)
  let honest = 1n; // ff(n - K, d)
  let all = falling(seats, votes); // ff(n, votes + d)

  const extend = (): void => {
    mark('S1');
    const others = rows.length;
    if (others > 0) {
      honest *= BigInt(honestSeats - others + 1);
      all *= BigInt(Math.max(0, seats - votes - others + 1));
    }
    const row = [1n];
    for (let b = 1; b < votes; b++) row.push(row[b - 1]! + (paths[b] ?? 0n));
    // w_0 = 1/2 and w_d = 3 / (10 d^2): together less than 1.
    const [share, parts] = others === 0 ? [1n, 2n] : [3n, 10n * BigInt(others) ** 2n];
    const left = honest * loss.denominator * parts;
    const right = loss.numerator * share;
    while (row[votes - 1]! * bad * left > right * all) {
      bad *= BigInt(adversarial - votes);
      all *= BigInt(Math.max(0, seats - votes - others));
      row.push(row[votes - 1]! + (paths[votes] ?? 0n));
      votes += 1;
    }
    paths = row;
    rows.push(votes);
  };

  return (others) => {
    assert(Number.isSafeInteger(others) && others >= 0, 'a row is counted from 0');
    // Beyond K + 1 votes, or beyond all honest seats, no row can ask for more.
    while (rows.length <= others && votes <= adversarial && rows.length <= honestSeats) extend();
    if (rows.length === 0) extend();
    return rows[Math.min(others, rows.length - 1)]!;
  };
}

/** How far a value has come in the public order of a lane. */
export type LaneStanding = {
  readonly seats: number;
  readonly adversarial: number;
  /** Seats that told the value, at least 1, and all other seats of the prefix. */
  readonly votes: number;
  readonly others: number;
};

/**
 * The probability that exactly `others` honest seats come before bad seat number `votes`.
 * @see spec/protocol/sampling.md S3
 */
export function arrivalProbability(standing: LaneStanding): Ratio {
  mark('S3');
  const { seats, adversarial, votes, others } = standing;
  if (votes > adversarial || others > seats - adversarial) return zero;
  const { arrivals, all } = arrivalsUpTo(standing);
  return ratio(arrivals[others]!, all);
}

/**
 * The probability that a wrong value gets as far as this one or further: that bad seat number
 * `votes` comes after at most `others` honest seats. It grows with dissent and falls with votes.
 * A lane that was opened again may count more others than there are seats; then it is 0 or 1.
 * @see spec/protocol/sampling.md S4
 */
export function laneBound(standing: LaneStanding): Ratio {
  mark('S4');
  const { seats, adversarial, votes } = standing;
  if (votes > adversarial) return zero;
  const others = Math.min(standing.others, seats - adversarial);
  const { arrivals, all } = arrivalsUpTo({ ...standing, others });
  return ratio(
    arrivals.reduce((sum, arrival) => sum + arrival),
    all,
  );
}

/** Per count of others, the arrivals out of `all`. */
function arrivalsUpTo({ seats, adversarial, votes, others }: LaneStanding): {
  readonly arrivals: readonly bigint[];
  readonly all: bigint;
} {
  assert(votes >= 1 && others >= 0, 'a value that stands somewhere has a vote');
  let term = falling(adversarial, votes);
  const arrivals = [term];
  for (let i = 0; i < others; i++) {
    // The binomial of the paths stays whole: C(votes - 1 + i, i) (votes + i) / (i + 1).
    term = (term * BigInt(votes + i) * BigInt(seats - adversarial - i)) / BigInt(i + 1);
    arrivals.push(term);
  }
  let rest = 1n;
  for (let i = others; i >= 0; i--) {
    arrivals[i] = arrivals[i]! * rest;
    rest *= BigInt(seats - votes - i + 1);
  }
  return { arrivals, all: falling(seats, votes + others) };
}

/**
 * The probability that any of `lanes` lanes accepts a wrong value, over `draws` draws that an
 * adversary could have had: `min(1, draws lanes lane)`.
 * @see spec/protocol/sampling.md S5
 */
export function jointBound(lane: Ratio, lanes: number, draws: bigint = 1n): Ratio {
  mark('S5');
  return smaller(one, ratio(lane.numerator * BigInt(lanes) * draws, lane.denominator));
}

/** Seats up to which a risk is summed exactly; above, its guarantee is told instead. */
const riskSeatsMax = 512;

/**
 * The probability that a wrong value becomes acceptable in one lane: the sum over all rows of the
 * table, of which {@link laneBound} is only the part up to one of them. Null above
 * riskSeatsMax seats, where the sum takes too long.
 *
 * @param bad - Seats that all tell the same wrong value; may be others than the table assumes.
 * @see spec/protocol/sampling.md S23
 */
export function tableRisk({ seats, needed: rows }: AcceptTable, bad: number): Ratio | null {
  if (seats > riskSeatsMax) return null;
  mark('S23');
  let paths: readonly bigint[] = [];
  let sum = ratio(0n);
  for (let others = 0; others <= seats - bad; others++) {
    const votes = rows(others);
    const row = [1n];
    for (let b = 1; b < votes; b++) row.push(row[b - 1]! + (paths[b] ?? 0n));
    paths = row;
    if (votes > bad) continue;
    const arrivals = row[votes - 1]! * falling(bad, votes) * falling(seats - bad, others);
    sum = add(sum, ratio(arrivals, falling(seats, votes + others)));
  }
  return sum;
}

/** `a (a - 1) … (a - count + 1)`. */
function falling(a: number, count: number): bigint {
  let product = 1n;
  for (let i = 0; i < count; i++) product *= BigInt(a - i);
  return product;
}
