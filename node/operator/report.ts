/** Tell the log what a node sees: final blocks, who is missing and why, what was refused. */
import { hex } from '../../protocol/brand.ts';
import { quorum } from '../../protocol/consensus/seats.ts';
import type { Notice } from '../../protocol/replica/effect.ts';
import type { AnwansiNode, NodeEvent } from '../face.ts';
import type { LawEvent } from '../laws/inspection.ts';
import type { NetworkEvent, Unreachable } from '../network/event.ts';
import { type Log, reasonCode, reasonText, type Seldom, seldom } from './log.ts';

/** Milliseconds between two looks at who is missing. */
const lookMs = 1_000;
/** Milliseconds without a final block after which it is said, and after which it is said again. */
const stillMs = 20_000;
const stillAgainMs = 60_000;
/** Milliseconds after which a peer that is here is no longer one that was missing. */
const settledMs = 5_000;
/** Hexadecimal digits of a hash in a log line. */
const hashDigits = 16;

/** What a network tells, as log lines. */
export function networkLines(log: Log, often: Seldom = seldom()): (event: NetworkEvent) => void {
  const module = 'net';
  return (event) => {
    switch (event.kind) {
      case 'listening':
        log.info({ module, addresses: event.addresses }, 'listening');
        return;
      case 'connected':
      case 'disconnected':
        log.info({ module, peer: event.peer }, event.kind);
        return;
      case 'stranger': {
        const { peer, reason } = event;
        const due = often(`${peer} ${reason}`);
        if (due !== null) log.warn({ module, peer, reason, ...due }, 'peer refused');
        return;
      }
      case 'banned':
        log.warn({ module, peer: event.peer, score: event.score }, 'peer shut out for a while');
        return;
      case 'zombie':
        log.debug({ module, peer: event.peer }, 'connection closed, it had gone silent');
        return;
      case 'judged': {
        const { topic, peer, verdict, code } = event;
        const due = often(`${topic} ${peer} ${code}`);
        if (due === null) return;
        const fields = { module, topic, peer, code, ...due };
        if (verdict === 'reject') log.warn(fields, 'message rejected');
        else log.debug(fields, 'message ignored');
        return;
      }
      case 'error': {
        const due = often(event.error.code);
        if (due !== null) log.warn({ module, reason: event.error, ...due }, 'network error');
        return;
      }
      default: // What is unreachable is told by looking, once per change.
        return;
    }
  };
}

/** What a replica notes, as log lines. */
export function noticeLines(log: Log, often: Seldom = seldom()): (notice: Notice) => void {
  const module = 'chain';
  return (notice) => {
    const { kind, ...facts } = notice;
    const due = often(JSON.stringify(notice));
    if (due === null) return;
    const fields = { module, ...facts, ...due };
    if (kind === 'job-refused') log.debug(fields, 'job refused');
    else if (kind === 'equivocation') log.warn(fields, 'a seat voted twice in one view');
    else log.warn(fields, kind.replaceAll('-', ' '));
  };
}

/** Logs each reason for which a known peer is missing, once until it changes. */
export function missingLines(log: Log, now: () => number = () => performance.now()) {
  const told = new Map<string, { reason: string; seenAt: number }>();
  return (missing: readonly Unreachable[]): void => {
    const at = now();
    for (const { address, reason } of missing) {
      const known = told.get(address);
      told.set(address, { reason, seenAt: at });
      if (known?.reason !== reason)
        log.info({ module: 'net', address, reason }, 'peer is not connected');
    }
    // Not at once: a peer of another network comes and goes with each dial.
    for (const [address, { seenAt }] of told) if (at - seenAt >= settledMs) told.delete(address);
  };
}

/** What the own check of a program came to. */
function lawLine(log: Log, { program, verdict, report, text }: LawEvent): void {
  const fields = { module: 'laws', program, verdict, report, reason: text };
  if (verdict === 'refuted') log.warn(fields, 'program refused: it breaks a law');
  else if (verdict === 'not-checked') log.debug(fields, 'program not checked');
  else log.info(fields, 'program checked');
}

export type ReportParts = {
  readonly log: Log;
  readonly node: AnwansiNode;
  readonly peers: () => readonly string[];
  readonly unreachable: () => readonly Unreachable[];
  /** Told once, of what the node could not go on from. */
  readonly ended: (reason: unknown) => void;
};

/**
 * What went wrong in a node, as log lines: one that the node goes on from now and then, the one
 * that ended it once, with its code. `ended` is told of the latter, also where it came before.
 */
export function failureLines(
  { log, node, ended }: Pick<ReportParts, 'log' | 'node' | 'ended'>,
  facts: Readonly<Record<string, unknown>> = {},
  often: Seldom = seldom(),
): (event: NodeEvent) => void {
  const module = 'node';
  let over = false;
  const fatal = (reason: unknown): void => {
    if (over) return;
    over = true;
    log.fatal({ module, ...facts, code: reasonCode(reason), reason }, 'the node cannot go on');
    ended(reason);
  };
  const before = node.failure();
  if (before !== null) fatal(before.reason);
  return (event) => {
    if (event.kind !== 'failed') return;
    if (event.fatal) return fatal(event.reason);
    const due = often(reasonText(event.reason));
    if (due === null) return;
    const code = reasonCode(event.reason);
    log.error({ module, ...facts, code, reason: event.reason, ...due }, 'something failed');
  };
}

/** Follows a node until the returned function is called. */
export function report({ log, node, peers, unreachable, ended }: ReportParts): () => void {
  const { seats, parameters } = node.rules.genesis;
  const missing = missingLines(log);
  const module = 'chain';
  let lastLineAt = Number.NEGATIVE_INFINITY;
  let lastFinalAt = performance.now();
  let stillToldAt: number | null = null;

  const heard = (): readonly number[] => [...node.seatsHeardSince(Date.now() - stillMs)];
  const failed = failureLines({ log, node, ended });
  const followed = (event: NodeEvent): void => {
    failed(event);
    if (event.kind === 'law') lawLine(log, event);
    if (event.kind !== 'final') return;
    const at = performance.now();
    lastFinalAt = at;
    if (stillToldAt !== null) log.info({ module }, 'blocks are final again');
    stillToldAt = null;
    // One line for each slot, however fast blocks come while there is work.
    if (at - lastLineAt < parameters.heartbeatMs * 0.75) return;
    lastLineAt = at;
    const { header, hash } = event.chain;
    const { height, view, timeMs } = header;
    const behindMs = Math.max(0, Date.now() - timeMs);
    const fields = { height, hash: hex(hash).slice(0, hashDigits), view, behindMs };
    log.info({ module, ...fields, peers: peers().length, seatsHeard: heard().length }, 'final');
  };
  const look = (): void => {
    missing(unreachable());
    const at = performance.now();
    if (at - lastFinalAt < stillMs || at - (stillToldAt ?? -stillAgainMs) < stillAgainMs) return;
    stillToldAt = at;
    const here = heard();
    const needed = quorum(seats.length);
    const absent = seats.map((_, seat) => seat).filter((seat) => !here.includes(seat));
    const fields = { module, heard: here.length, needed, absent: absent.slice(0, 32) };
    if (here.length < needed) log.warn(fields, 'no quorum: nothing can become final without more');
    else log.warn(fields, 'no new final block, though a quorum is heard');
  };
  const unwatch = node.watch(followed);
  const timer = setInterval(look, lookMs);
  return () => {
    unwatch();
    clearInterval(timer);
  };
}
