/** Say what keeps an operator's node from starting, and what to do about it. */
import { ProtocolError } from '../../protocol/errors.ts';

export type OperatorErrorDetail = Readonly<
  | { code: 'CONFIG_UNREADABLE'; file: string; reason: string }
  | { code: 'CONFIG_SYNTAX'; file: string; line: number; column: number; reason: string }
  | { code: 'CONFIG_UNKNOWN_KEY'; file: string; key: string; meant: string | null }
  | { code: 'CONFIG_VALUE'; key: string; origin: string; reason: string }
  | { code: 'DIRECTORY_UNUSABLE'; path: string; reason: string; userId: number | null }
  | { code: 'DIRECTORY_UNSAFE'; path: string; reason: string }
  | { code: 'KEY_MISSING'; file: string }
  | { code: 'KEY_MALFORMED'; file: string; reason: string }
  | { code: 'KEY_MODE'; path: string; mode: string; wanted: string }
  | { code: 'KEY_LOCKED'; processId: number | null; directory: string | null }
  | { code: 'KEY_NOT_SEATED'; publicKey: string; network: string }
  | { code: 'VALIDATOR_FILE_MALFORMED'; file: string; reason: string }
  | { code: 'VALIDATOR_POSSESSION'; name: string }
  | { code: 'VALIDATOR_DUPLICATE'; name: string; other: string }
  | { code: 'GENESIS_NOT_FOUND'; file: string; given: boolean }
  | { code: 'GENESIS_MALFORMED'; file: string; reason: string }
  | { code: 'GENESIS_VERSION'; file: string; found: number; expected: number }
  | { code: 'GENESIS_OTHER_NETWORK'; directory: string; found: string; expected: string }
  | { code: 'GENESIS_SEATS'; seats: number; min: number; max: number }
  | { code: 'GENESIS_ACCOUNT'; account: string; reason: string }
  | { code: 'GENESIS_PARAMETERS'; reason: string }
  | { code: 'DEV_SEAT_ENDED'; seat: number; exitCode: number; reason: string }
  | { code: 'DEV_OTHER_NETWORK'; file: string; found: number; wanted: number }
  | { code: 'NODE_STOP_TIMEOUT'; part: string; ms: number }
>;

/** Something that the operator can mend: a file, a key, a setting, another process. */
export class OperatorError extends ProtocolError<OperatorErrorDetail> {
  constructor(detail: OperatorErrorDetail, cause?: unknown) {
    super(detail, describe(detail), cause === undefined ? undefined : { cause });
  }
}

function describe(detail: OperatorErrorDetail): string {
  switch (detail.code) {
    case 'CONFIG_UNREADABLE':
      return `${detail.file} cannot be read: ${detail.reason}`;
    case 'CONFIG_SYNTAX':
      return `${detail.file}, line ${detail.line}, column ${detail.column}: ${detail.reason}`;
    case 'CONFIG_UNKNOWN_KEY': {
      const meant = detail.meant === null ? '' : `; did you mean ${detail.meant}?`;
      return `${detail.file}: there is no setting ${detail.key}${meant}`;
    }
    case 'CONFIG_VALUE':
      return `${detail.key} (${detail.origin}): ${detail.reason}`;
    case 'DIRECTORY_UNUSABLE': {
      const { path, reason, userId } = detail;
      const who = userId === null ? 'this user' : `user ${userId}`;
      const mend = userId === null ? '' : `; if it should be: chown -R ${userId} '${path}'`;
      return `${path} cannot be used by ${who}: ${reason}${mend}`;
    }
    case 'DIRECTORY_UNSAFE':
      return `${detail.path} is not safe for locks: ${detail.reason}`;
    case 'KEY_MISSING':
      return `there is no key ${detail.file}; make one with: anwansi node init`;
    case 'KEY_MALFORMED':
      return `${detail.file} holds no key: ${detail.reason}`;
    case 'KEY_MODE':
      return (
        `others may read or change ${detail.path} (mode ${detail.mode}); ` +
        `take that from them: chmod ${detail.wanted} '${detail.path}'`
      );
    case 'KEY_LOCKED': {
      const holder = detail.processId === null ? 'another process' : `process ${detail.processId}`;
      const where = detail.directory === null ? '' : `, on ${detail.directory},`;
      return `${holder}${where} runs with this key already; stop it first`;
    }
    case 'KEY_NOT_SEATED':
      return `the key ${detail.publicKey} holds no seat in network ${detail.network}`;
    default:
      return describeNetwork(detail);
  }
}

type NetworkDetail = Extract<
  OperatorErrorDetail,
  { code: `${'VALIDATOR' | 'GENESIS' | 'NODE' | 'DEV'}_${string}` }
>;

function describeNetwork(detail: NetworkDetail): string {
  switch (detail.code) {
    case 'VALIDATOR_FILE_MALFORMED':
      return `${detail.file} is not the public part of a validator: ${detail.reason}`;
    case 'VALIDATOR_POSSESSION':
      return `${detail.name} does not prove that its keys belong together`;
    case 'VALIDATOR_DUPLICATE':
      return `${detail.name} has a key of ${detail.other}; one key holds one seat`;
    case 'GENESIS_NOT_FOUND':
      return detail.given
        ? `there is no genesis file ${detail.file}`
        : 'no network is chosen yet; name its genesis: anwansi node start --genesis FILE';
    case 'GENESIS_MALFORMED':
      return `${detail.file} is no genesis of a network: ${detail.reason}`;
    case 'GENESIS_VERSION':
      return (
        `${detail.file} is of protocol version ${detail.found}; ` +
        `this software speaks version ${detail.expected}`
      );
    case 'GENESIS_OTHER_NETWORK':
      return (
        `${detail.directory} belongs to network ${detail.found}, not to ${detail.expected}; ` +
        'use a data directory of its own for each network'
      );
    case 'GENESIS_SEATS':
      return `a network has ${detail.min} to ${detail.max} seats, not ${detail.seats}`;
    case 'GENESIS_ACCOUNT':
      return `account ${detail.account}: ${detail.reason}`;
    case 'GENESIS_PARAMETERS':
      return detail.reason;
    case 'DEV_SEAT_ENDED':
      return `the validator of seat ${detail.seat} did not start: ${detail.reason}`;
    case 'DEV_OTHER_NETWORK':
      return (
        `${detail.file} is of a network with ${detail.found} seats, where a development network ` +
        `of ${detail.wanted} is wanted`
      );
    case 'NODE_STOP_TIMEOUT':
      return `${detail.part} did not end within ${detail.ms} ms and is left as it is`;
  }
}
