/** Say what an audit looked at, what it found, and what follows. */
import { mark } from '../assert.ts';

/** What is looked at, in this order; `lane` once for each lane. */
export const checks = [
  'receipt',
  'network',
  'finality',
  'record',
  'history',
  'job',
  'draw',
  'lane',
  'program',
  'policy',
  'fold',
  'reexecution',
] as const;
export type Check = (typeof checks)[number];

/** `skipped`: not looked at. `unknown`: looked at, and cannot be told from what is at hand. */
export type FindingStatus = 'ok' | 'failed' | 'skipped' | 'unknown';

/** One line of an audit. */
export type Finding = {
  readonly check: Check;
  /** Number of the lane for the check `lane`, else null. */
  readonly lane: number | null;
  readonly status: FindingStatus;
  /** Stable code; null when all is well. */
  readonly code: string | null;
  /** The facts, as a sentence without its full stop. */
  readonly because: string;
};

export type AuditVerdict = 'verified' | 'refuted' | 'cannot-tell';

/** What a check came to. Without a value, what rests on it cannot be looked at. */
export type Ruling<T> = {
  readonly status: FindingStatus;
  readonly code: string | null;
  readonly because: string;
  readonly value: T | null;
};

/** All is well. */
export function holds<T>(because: string, value: T): Ruling<T> {
  return { status: 'ok', code: null, because, value };
}

/** Something is false whatever else may be known. */
export function fails(code: string, because: string): Ruling<never> {
  return { status: 'failed', code, because, value: null };
}

/** It cannot be told; a value lets the audit go on. */
export function untold<T>(code: string, because: string, value: T | null = null): Ruling<T> {
  return { status: 'unknown', code, because, value };
}

/** It is not looked at. */
export function skips(code: string, because: string): Ruling<never> {
  return { status: 'skipped', code, because, value: null };
}

/** The line of a ruling. */
export function findingOf(
  check: Check,
  ruling: Ruling<unknown>,
  lane: number | null = null,
): Finding {
  const { status, code, because } = ruling;
  return { check, lane, status, code, because };
}

/**
 * What follows from findings, and the code of the one that decided; null when verified.
 * @see spec/protocol/receipt.md V55 to V57
 */
export function verdictOf(findings: readonly Pick<Finding, 'status' | 'code'>[]): {
  readonly verdict: AuditVerdict;
  readonly code: string | null;
} {
  const refuting = findings.find(({ status }) => status === 'failed');
  if (refuting !== undefined) {
    mark('V55');
    return { verdict: 'refuted', code: refuting.code };
  }
  const open = findings.find(({ status }) => status !== 'ok');
  if (open !== undefined) {
    mark('V56');
    return { verdict: 'cannot-tell', code: open.code };
  }
  mark('V57');
  return { verdict: 'verified', code: null };
}
