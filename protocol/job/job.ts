/** Define a job, its id, and its one encoding. */
import { mark } from '../assert.ts';
import { type Codec, codec } from '../codec/codec.ts';
import {
  bigUint,
  bytesUpTo,
  fixedBytes,
  oneOf,
  type ShapeOf,
  struct,
  uint,
  union,
} from '../codec/schema.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import {
  cidBytes,
  digestBytes,
  fuelMax,
  heightMax,
  itemCountMax,
  lossExponentMax,
  lossExponentMin,
  parameterBytesMax,
  publicKeyBytes,
  signatureBytes,
  slowItemMsMax,
  subtaskCountMax,
  timeMsMax,
  waveCountMax,
} from '../params.ts';

/** How much a submitter wants: only `exact` is delivered so far, the others are refused by name. */
export const tiers = ['none', 'exact', 'proved', 'rational'] as const;
export type Tier = (typeof tiers)[number];

/** Rule by which an input was cut into items; for the reader, the items themselves are signed. */
export const cutRules = ['lines', 'fixed', 'whole', 'generated'] as const;
export type CutRule = (typeof cutRules)[number];

/** Denominators of the assumed adversarial share; 0 means the most that consensus bears. */
export const adversaryDenominators = [0, 20, 10, 5] as const;
export type Adversary = (typeof adversaryDenominators)[number];

/** How the assumed adversarial share is written; `max` means f seats. */
export const adversaryWords = ['max', '1/20', '1/10', '1/5'] as const;
export type AdversaryWord = (typeof adversaryWords)[number];

const jobShape = struct({
  version: uint(255),
  rewriter: uint(255),
  costTable: uint(255),
  network: fixedBytes(digestBytes),
  submitter: fixedBytes(publicKeyBytes),
  nonce: bigUint(2n ** 64n - 1n),
  program: fixedBytes(cidBytes),
  /** RFC 9162 root over the CIDs of the items, and how many there are; or generated from parameters. */
  input: union({
    list: struct({ root: fixedBytes(digestBytes), items: uint(itemCountMax, 1) }),
    generated: struct({ items: uint(itemCountMax, 1) }),
  }),
  cut: oneOf(cutRules),
  parameters: bytesUpTo(parameterBytesMax),
  subtasks: uint(subtaskCountMax, 1),
  tier: oneOf(tiers),
  lossExponent: uint(lossExponentMax, lossExponentMin),
  adversary: oneOf(adversaryWords),
  spare: uint(255),
  /** Units that an item, a combine, a whole fold and the rendering may use. */
  fuelItem: bigUint(fuelMax),
  fuelCombine: bigUint(fuelMax),
  fuelFold: bigUint(fuelMax),
  fuelRender: bigUint(fuelMax),
  slowItemMs: uint(slowItemMsMax),
  /** Tokens for a million units of fuel of one execution. */
  fee: bigUint(2n ** 64n - 1n),
  anchorHeight: uint(heightMax),
  anchorHash: fixedBytes(digestBytes),
  includeByMs: uint(timeMsMax),
  waves: uint(waveCountMax, 1),
});

/** A state transition that somebody wants to have computed and checked. */
export type Job = ShapeOf<typeof jobShape>;

export const jobCodec: Codec<Job> = codec('job', parameterBytesMax + 1_024, jobShape);

export const signedJobShape = struct({ job: jobShape, signature: fixedBytes(signatureBytes) });

/** A job with its submitter's signature over {@link jobCodec}'s bytes. */
export type SignedJob = ShapeOf<typeof signedJobShape>;

export const signedJobCodec: Codec<SignedJob> = codec(
  'signed job',
  parameterBytesMax + 1_152,
  signedJobShape,
);

/**
 * The id of a job: its digest, signature left out.
 * @see spec/protocol/job.md J15
 */
export function jobId(job: Job): Digest {
  mark('J15');
  return hash('job', jobCodec.encode(job));
}

/** The number of items m. */
export function itemCount(job: Job): number {
  return job.input.items;
}

/** The denominator that sampling counts with. */
export function adversaryDenominator(word: AdversaryWord): Adversary {
  return adversaryDenominators[adversaryWords.indexOf(word)]!;
}
