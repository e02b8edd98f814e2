/** Write a node's log: JSON lines for machines, short lines on a terminal. */
import pino from 'pino';
import { ProtocolError } from '../../protocol/errors.ts';

/** Where lines go: standard error, or a test's list. */
export type LogStream = {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
};

/** Logs fields and a message: `log.info({ height }, 'final')`. */
export type Log = Pick<pino.Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** Milliseconds in which a thing is said once, and things that are remembered for it. */
const quietMs = 30_000;
const rememberedMax = 1_024;

/** Opens a log. Fields: `ts level msg`, and what a line adds; `module` says whose line it is. */
export function openLog(level: string, stream: LogStream): Log {
  const destination =
    stream.isTTY === true ? { write: (line: string) => stream.write(shortLine(line)) } : stream;
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { reason: reasonText },
      redact: ['seed', 'token', '*.seed', '*.token'],
    },
    { write: (line) => void destination.write(line) },
  );
}

/** The one sentence of whatever was thrown, with its code in front. */
export function reasonText(reason: unknown): string {
  if (reason instanceof ProtocolError) return `${reason.code}: ${reason.message}`;
  return reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
}

/** The stable code of whatever was thrown. */
export function reasonCode(reason: unknown): string {
  return reason instanceof ProtocolError ? reason.code : 'UNEXPECTED';
}

/** Lets a thing through once in a while, and then tells how often it was held back. */
export type Seldom = (thing: string) => { readonly heldBack?: number } | null;

/** @param now - Milliseconds of any clock that does not go back. */
export function seldom(now: () => number = () => performance.now()): Seldom {
  const last = new Map<string, { at: number; heldBack: number }>();
  return (thing) => {
    const known = last.get(thing);
    if (known !== undefined && now() - known.at < quietMs) {
      known.heldBack += 1;
      return null;
    }
    last.delete(thing);
    last.set(thing, { at: now(), heldBack: 0 });
    for (const oldest of last.keys()) {
      if (last.size <= rememberedMax) break;
      last.delete(oldest);
    }
    return known === undefined || known.heldBack === 0 ? {} : { heldBack: known.heldBack };
  };
}

/** `12:00:03 info  net: connected peer=12D3…`. */
function shortLine(line: string): string {
  const { ts, level, module, msg, ...fields } = JSON.parse(line);
  const rest = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const front = module === undefined ? '' : `${module}: `;
  return `${String(ts).slice(11, 19)} ${String(level).padEnd(5)} ${front}${msg}${rest.join('')}\n`;
}
