// Goal: who wants a turn gets one soon, however much the others hold: counted in slices.
// Method: random jobs on simulated places, against the rotation; the twin is first come, first
// served, which must break the same law.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Rotation, rotation, type Serves } from '../../node/rotation.ts';

type Task = { readonly turn: string; left: number };

/** First come, first served over whole tasks: what is begun is resumed before all else. */
function fifo(): Rotation<Task> {
  const begun: Task[] = [];
  const waiting: Task[] = [];
  const drop = (list: Task[], thing: Task): boolean => {
    const at = list.indexOf(thing);
    if (at >= 0) list.splice(at, 1);
    return at >= 0;
  };
  return {
    add: (_, thing) => void waiting.push(thing),
    stop: (_, thing) => void begun.push(thing),
    drop: (_, thing) => drop(begun, thing) || drop(waiting, thing),
    next: ({ begin }) => begun.shift() ?? (begin ? waiting.shift() : null) ?? null,
    waitingCount: () => waiting.length,
    waitingOf: (turn) => waiting.filter((each) => each.turn === turn).length,
    waitingTurns: () => [...new Set(waiting.map(({ turn }) => turn))],
    clear: () => [...begun.splice(0), ...waiting.splice(0)],
  };
}

const anybody: Serves = { begin: true, turn: () => true };

/**
 * Runs tasks on `places` in slices. A slice takes one unit of a task and then gives way. Gives the
 * slices of others that passed while each turn had something that waited.
 */
function worstWait(order: Rotation<Task>, tasks: readonly Task[], places: number): number {
  for (const task of tasks) order.add(task.turn, task);
  const waits = new Map<string, number>();
  let worst = 0;
  for (;;) {
    const running: Task[] = [];
    while (running.length < places) {
      const task = order.next(anybody);
      if (task === null) break;
      running.push(task);
      for (const turn of new Set(tasks.filter(({ left }) => left > 0).map((each) => each.turn)))
        if (turn !== task.turn) waits.set(turn, (waits.get(turn) ?? 0) + 1);
      waits.set(task.turn, 0);
      worst = Math.max(worst, ...waits.values());
    }
    if (running.length === 0) return worst;
    for (const task of running) {
      task.left -= 1;
      if (task.left > 0) order.stop(task.turn, task);
    }
  }
}

const jobs = fc.array(
  fc.record({ turn: fc.constantFrom('a', 'b', 'c', 'd'), left: fc.integer({ min: 1, max: 9 }) }),
  { minLength: 1, maxLength: 60 },
);
const copies = (tasks: readonly Task[]): Task[] => tasks.map((task) => ({ ...task }));

describe('the law of turns', () => {
  test('between two slices of a turn, each other turn has at most one a place', () => {
    fc.assert(
      fc.property(jobs, fc.integer({ min: 1, max: 4 }), (tasks, places) => {
        // What runs cannot run twice at once: a turn that is wholly under way waits for its place.
        const bound = new Set(tasks.map(({ turn }) => turn)).size - 1 + places;
        expect(worstWait(rotation(), copies(tasks), places)).toBeLessThanOrEqual(bound);
      }),
    );
  });

  const long = Array.from({ length: 1_000 }, () => ({ turn: 'long', left: 1_000 }));
  const short = { turn: 'short', left: 1 };

  test('one short task beside 1000 long ones', () => {
    const seen: string[] = [];
    const run = (order: Rotation<Task>): number => {
      const mine = { ...short };
      for (const task of [...copies(long), mine]) order.add(task.turn, task);
      for (seen.length = 0; mine.left > 0 && seen.length < 5_000; ) {
        const task = order.next(anybody)!;
        seen.push(task.turn);
        task.left -= 1;
        if (task.left > 0) order.stop(task.turn, task);
      }
      return seen.length - 1;
    };
    expect(run(rotation())).toBeLessThanOrEqual(1);
    expect(run(fifo()), 'first come, first served').toBeGreaterThan(1_000);
  });

  test('first come, first served breaks the law', () => {
    const tasks = [...long.slice(0, 40), short, ...long.slice(0, 40)];
    const few = tasks.map((task) => ({ ...task, left: Math.min(task.left, 5) }));
    expect(worstWait(rotation(), copies(few), 1)).toBeLessThanOrEqual(2);
    expect(worstWait(fifo(), copies(few), 1)).toBeGreaterThan(100);
  });
});

describe('a rotation', () => {
  test('resumes before it begins, and passes over who may not be served', () => {
    const order = rotation<string>();
    order.add('a', 'a1');
    order.add('a', 'a2');
    order.add('b', 'b1');
    expect(order.next({ begin: false, turn: () => true })).toBeNull();
    expect(order.next(anybody)).toBe('a1');
    order.stop('a', 'a1');
    expect(order.waitingCount()).toBe(2);
    expect(order.waitingOf('a')).toBe(1);
    expect(order.waitingTurns()).toEqual(['b', 'a']);
    expect(order.next({ begin: false, turn: () => true })).toBe('a1');
    expect(order.next({ begin: true, turn: (turn) => turn !== 'b' })).toBe('a2');
    expect(order.next(anybody)).toBe('b1');
    expect(order.next(anybody)).toBeNull();
    expect(order.waitingCount()).toBe(0);
  });

  test('gives things back that nobody wants any more', () => {
    const order = rotation<string>();
    order.add('a', 'a1');
    order.stop('b', 'b1');
    expect(order.drop('a', 'b1')).toBe(false);
    expect(order.drop('b', 'b1')).toBe(true);
    expect(order.drop('b', 'b1')).toBe(false);
    order.stop('c', 'c1');
    expect([...order.clear()].sort()).toEqual(['a1', 'c1']);
    expect(order.next(anybody)).toBeNull();
    expect(order.waitingCount()).toBe(0);
  });
});
