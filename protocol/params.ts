/** State every limit, its unit, and how limits relate. */
import { assert } from './assert.ts';

/** Name and version of the wire: changing a byte on it is a decision with a number. */
export const protocolName = 'anwansi/1';
export const protocolVersion = 1;
/** Versions of the rewriter and of the cost table by which programs are metered. */
export const rewriterVersion = 1;
export const costTableVersion = 1;

/** Bytes of a SHA-256 digest, an Ed25519 key, an Ed25519 signature, an ECVRF proof, a CID. */
export const digestBytes = 32;
export const publicKeyBytes = 32;
export const signatureBytes = 64;
export const vrfProofBytes = 80;
export const cidBytes = 36;

/** Seats of an epoch. */
export const seatCountMin = 4;
export const seatCountMax = 4_096;
/** Largest view, height, epoch, and chain time in milliseconds since 1970. */
export const viewMax = 2 ** 48;
export const heightMax = 2 ** 48;
export const epochMax = 2 ** 32;
export const timeMsMax = 2 ** 48;

/** Items and subtasks of a job, and bytes of its parameters. */
export const itemCountMax = 1_048_576;
export const subtaskCountMax = 65_536;
export const parameterBytesMax = 32_768;
/** Waves of a job: fewest that may be asked for, and most. */
export const waveCountMin = 12;
export const waveCountMax = 64;
/** Milliseconds of a slow item that a job may declare. */
export const slowItemMsMax = 10_000;
/** Milliseconds that a signed job may live after its anchor. */
export const jobLifeMsMax = 60_000;
/** Largest fuel that is ever written: of all items of a job. */
export const fuelMax = 2n ** 63n - 1n;
/** Fuel that a job may give an item, a combine or the rendering; and a whole fold. */
export const fuelCallMax = 2n ** 36n;
export const fuelFoldMax = 2n ** 40n;
/** Fuel for which a job's fee is paid. */
export const fuelUnit = 1_000_000n;
/** Picoseconds that a unit of fuel takes at worst on the reference machine. */
export const guardPicosecondsPerFuel = 30_000n;
/** Milliseconds that a call may take beside those of its fuel, before its machine gives up. */
export const guardBaseMs = 5_000;
/** Negated powers of ten of the loss a submitter may pick. */
export const lossExponentMin = 1;
export const lossExponentMax = 15;

/** Bytes of one program, one item, one value. */
export const programBytesMax = 4 * 1024 * 1024;
export const itemBytesMax = 16 * 1024 * 1024;
export const valueBytesMax = 16 * 1024 * 1024;
/** Bytes within which text is cut into items, where a line ends. */
export const itemBytesTarget = 1024 * 1024;
/** Bytes of one raw block of a blob, and of one blob. */
export const blobBlockBytes = 256 * 1024;
export const blobBytesMax = 1024 * 1024 * 1024;
/** Bytes of a value that a reveal carries inside. */
export const inlineValueBytesMax = 1_024;
/** Bytes of the values that a receipt carries inline. */
export const receiptValueBytesMax = 256 * 1024 * 1024;

/** Bytes of one gossip message; larger things travel by stream. */
export const gossipBytesMax = 65_536;
/** Items of one block, and bytes of one block's body. */
export const blockItemCountMax = 4_096;
export const blockBytesMax = 4 * 1024 * 1024;
/** Items of one wave that a late seat must open. */
export const openedItemCount = 4;
/** Jobs that one block may order. */
export const blockJobCountMax = 64;
/** Jobs that may be open at once. */
export const openJobCountMax = 4_096;

assert(seatCountMin >= 4, 'three faults of one need four seats');
assert(itemBytesTarget <= itemBytesMax, 'a normal item is an item');
assert(itemBytesMax <= blobBytesMax && valueBytesMax <= blobBytesMax, 'an item is a blob');
assert(inlineValueBytesMax + 4_096 <= gossipBytesMax, 'a reveal fits into a gossip message');
assert(parameterBytesMax + 4_096 <= gossipBytesMax, 'a job fits into a gossip message');
assert(subtaskCountMax <= itemCountMax, 'a subtask has an item');
assert(BigInt(itemCountMax) * fuelCallMax <= fuelMax, 'the fuel of all items can be written');
assert(fuelCallMax <= fuelFoldMax, 'a fold has fuel for a combine');
assert(gossipBytesMax * 2 <= blockBytesMax, 'a block holds any message');
