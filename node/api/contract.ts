/** Shape what a node says over HTTP: one schema for routes, clients and the OpenAPI document. */
import { z } from '@hono/zod-openapi';
import { jobStates } from '../../protocol/ledger/record.ts';
import { dutyStates } from '../duty-state.ts';

/** Media type of canonical bytes: jobs, genesis, receipts, state proofs. */
export const cborType = 'application/vnd.ipld.dag-cbor';
/** Media type of blobs and results. */
export const bytesType = 'application/octet-stream';

const hexText = z.string().regex(/^([0-9a-f]{2})*$/);
const digestText = z.string().regex(/^[0-9a-f]{64}$/);
/** Amounts and other 64-bit numbers, as decimal text. */
const bigText = z.string().regex(/^\d{1,20}$/);
const timeText = z.iso.datetime();
/** A content id: `b` and base32. */
const cidText = z.string().regex(/^b[a-z2-7]{58}$/);

/** A stable code and what it means, so that no reader has to look it up. */
const reasonSchema = z.object({ code: z.string(), meaning: z.string(), remedy: z.string() });

/** An error, RFC 9457. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    remedy: z.string(),
    retryable: z.boolean(),
  })
  .openapi('Problem');
export type Problem = z.infer<typeof problemSchema>;

/** One sentence on what was looked at: a cause, what follows from it, what to do. */
export const findingSchema = z
  .object({
    name: z.string(),
    state: z.enum(['ok', 'warning', 'failed']),
    cause: z.string(),
    consequence: z.string(),
    remedy: z.string(),
  })
  .openapi('Finding');
export type Finding = z.infer<typeof findingSchema>;

export const headSchema = z
  .object({ height: z.number().int(), hash: digestText, time: timeText, timeMs: z.number().int() })
  .openapi('Head');

export const statusSchema = z
  .object({
    protocol: z.literal('anwansi/1'),
    software: z.string(),
    network: digestText,
    seats: z.number().int(),
    /** The seat of this node; null for an observer. */
    seat: z.number().int().nullable(),
    /** The last final block. */
    final: headSchema,
    view: z.number().int(),
    sync: z.enum(['synced', 'syncing', 'stalled']),
    /** Why it is not synced; null when it is. */
    reason: reasonSchema.nullable(),
    peers: z.number().int(),
    /** Where peers reach this node, as multiaddrs; empty while it listens nowhere. */
    addresses: z.array(z.string()),
    /** Seats whose votes came in lately, the own seat included, and how many a quorum takes. */
    heard: z.array(z.number().int()),
    quorum: z.number().int(),
    openJobs: z.number().int(),
    startedAt: timeText,
  })
  .openapi('Status');
export type Status = z.infer<typeof statusSchema>;

export const healthSchema = z
  .object({ state: z.enum(['ready', 'syncing', 'unready']), findings: z.array(findingSchema) })
  .openapi('Health');
export type Health = z.infer<typeof healthSchema>;

export const peerSchema = z
  .object({
    id: z.string(),
    addresses: z.array(z.string()),
    connected: z.boolean(),
    /** Why it is not connected; null when it is. */
    reason: z.string().nullable(),
    score: z.number(),
  })
  .openapi('Peer');
export type Peer = z.infer<typeof peerSchema>;

/** A claim that leads in its lane: a value, or that an item of the lane failed. */
const leadingSchema = z.discriminatedUnion('claim', [
  z.object({ claim: z.literal('value'), cid: cidText }),
  z.object({ claim: z.literal('failed'), cid: z.null() }),
]);

const laneSchema = z.object({
  lane: z.number().int(),
  phase: z.enum(['committing', 'revealing', 'opening', 'drawing', 'closed']),
  accepted: z.boolean(),
  /** What the lane comes to if nothing changes; null while no claim has a vote. */
  leading: leadingSchema.nullable(),
  /** Votes of the leading claim, and how many would accept it as the lane stands. */
  votes: z.number().int(),
  needed: z.number().int(),
  wave: z.number().int(),
  awaited: z.array(z.number().int()),
  until: timeText.nullable(),
  bound: z.string(),
});

/** The best guess at what a job will come to. No part of it is final; each block may change all. */
const provisionalSchema = z.object({
  /** Probability that it is wrong, or the assumption on which all rests. */
  bound: z.string(),
  /** Lanes that have a leading claim, and the items in them, each of how many. */
  coverage: z.object({
    lanes: z.number().int(),
    lanesAll: z.number().int(),
    items: z.number().int(),
    itemsAll: z.number().int(),
  }),
  lanes: z.array(laneSchema),
});

/** What happened to a job as its node knows it: states of the chain, and two before it. */
export const jobViewStates = ['pending', 'cancelled', ...jobStates] as const;

export const jobSchema = z
  .object({
    id: digestText,
    state: z.enum(jobViewStates),
    reason: reasonSchema.nullable(),
    /** What is awaited, from whom, until when, in one sentence; null once it has ended. */
    awaits: z.string().nullable(),
    submitter: hexText.nullable(),
    items: z.number().int().nullable(),
    subtasks: z.number().int().nullable(),
    /** Tokens for a million units of fuel of one execution. */
    fee: bigText.nullable(),
    /** Units of fuel that an item may use, and that one execution of all accepted lanes used. */
    fuelItem: bigText.nullable(),
    mapFuel: bigText.nullable(),
    includedHeight: z.number().int().nullable(),
    endedHeight: z.number().int().nullable(),
    /** Only of a job that runs, and never its result: the final word is a receipt. */
    provisional: provisionalSchema.nullable(),
    /** Height of the final block that this view is of. */
    at: z.number().int(),
  })
  .openapi('Job');
export type JobView = z.infer<typeof jobSchema>;

export const acceptedJobSchema = z
  .object({ id: digestText, state: z.enum(jobViewStates), known: z.boolean() })
  .openapi('AcceptedJob');
export type AcceptedJob = z.infer<typeof acceptedJobSchema>;

/** An event of a job's stream; its SSE id is the height of the final block it was seen at. */
export const jobEventSchema = z
  .object({ kind: z.enum(['seen', 'ended']), job: jobSchema })
  .openapi('JobEvent');
export type JobEvent = z.infer<typeof jobEventSchema>;

export const blobSchema = z.object({ cid: z.string(), bytes: z.number().int() }).openapi('Blob');
export type BlobView = z.infer<typeof blobSchema>;

export const headerSchema = z
  .object({
    height: z.number().int(),
    hash: digestText,
    parent: digestText,
    view: z.number().int(),
    epoch: z.number().int(),
    proposer: z.number().int(),
    time: timeText,
    timeMs: z.number().int(),
    beacon: digestText,
    itemsRoot: digestText,
    historyRoot: digestText,
    stateRoot: digestText,
    seatSetHash: digestText,
  })
  .openapi('Header');
export type HeaderView = z.infer<typeof headerSchema>;

export const blockSchema = z
  .object({
    header: headerSchema,
    /** Seats that signed the Final certificate; null where a later block finalized this one. */
    signers: z.array(z.number().int()).nullable(),
    items: z.array(
      z.object({
        kind: z.string(),
        job: digestText.nullable(),
        seat: z.number().int().nullable(),
        lane: z.number().int().nullable(),
        bytes: z.number().int(),
      }),
    ),
  })
  .openapi('Block');
export type BlockView = z.infer<typeof blockSchema>;

export const stateEntrySchema = z
  .object({
    key: z.string(),
    /** The value's canonical bytes; null: proved absent. */
    value: hexText.nullable(),
    height: z.number().int(),
    stateRoot: digestText,
  })
  .openapi('StateEntry');
export type StateEntry = z.infer<typeof stateEntrySchema>;

/** What became of one draw of the own seat, and why. */
export const dutySchema = z
  .object({
    job: digestText,
    lane: z.number().int(),
    wave: z.number().int(),
    seat: z.number().int(),
    drawnHeight: z.number().int(),
    /** The furthest that it got. */
    state: z.enum(dutyStates),
    why: z.string(),
    /** Tokens paid for it so far, as decimal text. */
    paid: bigText,
    closedHeight: z.number().int().nullable(),
  })
  .openapi('Duty');
export type DutyView = z.infer<typeof dutySchema>;

/** What the draws of the latest jobs brought the own seat, so that a dry hour can be judged. */
export const dutySummarySchema = z
  .object({
    seat: z.number().int().nullable(),
    /** Jobs that were drawn, the latest at most 256, and the heights of their draws. */
    jobs: z.number().int(),
    fromHeight: z.number().int(),
    toHeight: z.number().int(),
    firstSlots: z.number().int(),
    laterSlots: z.number().int(),
    drawn: z.number().int(),
    states: z.record(z.string(), z.number().int()),
    paid: bigText,
    /** Probability that the first waves of these jobs draw a given seat at least once. */
    chance: z.string(),
    text: z.string(),
  })
  .openapi('DutySummary');
export type DutySummaryView = z.infer<typeof dutySummarySchema>;

/** A page of a list; `next` is the cursor of the next one, null at the end. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next: z.string().nullable() });
}
