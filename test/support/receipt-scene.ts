/** Set a scene: a ledger on which one job has ended, with its receipt and an auditor at hand. */
import { utf8 } from '../../protocol/brand.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { Job } from '../../protocol/job/job.ts';
import { blobCid } from '../../protocol/merkle/blob.ts';
import { listRoot } from '../../protocol/merkle/list.ts';
import { type Audit, type AuditOptions, auditReceipt } from '../../protocol/receipt/audit.ts';
import { issueReceipt } from '../../protocol/receipt/issue.ts';
import { receiptCodec } from '../../protocol/receipt/receipt.ts';
import { checkpointOf, devPolicy, type Trust } from '../../protocol/receipt/trust.ts';
import {
  fakeWorld,
  type LedgerWorld,
  type SeatRole,
  smallProgram,
  type WorldProgram,
} from './ledger-world.ts';
import { specLines } from './lines.ts';

/** What an executor would tell of a fold that went well. */
export const rendered = { fold: { kind: 'rendered', result: utf8('42') } } as const;

export type Scene = {
  readonly seats: number;
  readonly roles?: Readonly<Record<number, SeatRole>>;
  readonly program?: Partial<WorldProgram>;
  readonly job?: Partial<Job>;
  readonly skip?: number;
  /** Blocks before the job's. */
  readonly before?: number;
};

/** A world in which one job has ended, with a few blocks on top. */
export function scene({ seats, roles = {}, program = {}, job = {}, skip = 0, before = 3 }: Scene): {
  readonly world: LedgerWorld;
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  readonly trust: Trust;
  readonly audit: (trust?: Trust | null, options?: AuditOptions) => Audit;
} {
  const world = fakeWorld(seats);
  for (const [seat, role] of Object.entries(roles)) world.roles.set(Number(seat), role);
  for (let height = 0; height < before; height++) world.block();
  const [id] = world.run([world.job({ ...smallProgram, ...program }, job)], { skip });
  for (let height = 0; height < 3; height++) world.block();
  const bytes = receiptCodec.encode(issueReceipt(world.pieces(id!)));
  const trust = checkpointOf(world.genesis, devPolicy);
  const audit = (given: Trust | null = trust, options: AuditOptions = {}): Audit =>
    auditReceipt(bytes, given, { suite: world.keys.suite, ...options });
  return { world, id: id!, bytes, trust, audit };
}

/** The checks of an audit with their statuses, in one line. */
export const statuses = ({ findings }: Audit): string =>
  findings.map(({ check, status }) => `${check} ${status}`).join(', ');

/** The code of the error that an act throws. */
export const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'nothing';
};

/** Items of a list input, as bytes, and the job's description of them. */
export function listInput(count: number): {
  readonly items: readonly Uint8Array[];
  readonly changes: Pick<Job, 'input' | 'cut'>;
} {
  const items = Array.from({ length: count }, (_, item) => utf8(`item ${item}\n`));
  const root = listRoot(items.map(blobCid));
  return { items, changes: { input: { kind: 'list', root, items: count }, cut: 'lines' } };
}

/** Lines of the receipt page that one of the test files reaches and the others need not. */
export const receiptLines: Readonly<
  Record<'audit' | 'reading' | 'forgery' | 'state', readonly string[]>
> = {
  audit: lines(
    19,
    21,
    24,
    26,
    29,
    36,
    37,
    38,
    40,
    42,
    43,
    44,
    45,
    46,
    47,
    50,
    51,
    52,
    53,
    54,
    57,
    69,
  ),
  reading: lines(1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 39, 48),
  forgery: lines(13, 16, 18, 20, 22, 23, 25, 27, 28, 30, 31, 32, 33, 34, 35, 49, 58),
  state: lines(59, 60, 61, 62, 63, 64, 65, 66, 67, 68),
};

function lines(...numbers: readonly number[]): readonly string[] {
  return numbers.map((number) => `V${number}`);
}

/** Lines that a file of tests leaves to another: those that only the other's list has. */
export function elsewhere(own: keyof typeof receiptLines): Readonly<Record<string, string>> {
  const others = specLines('receipt').flatMap((line) => {
    const [file] = Object.entries(receiptLines).find(([, listed]) => listed.includes(line)) ?? [];
    return file === undefined || file === own ? [] : [[line, `receipt tests: ${file}`] as const];
  });
  return Object.fromEntries(others);
}
