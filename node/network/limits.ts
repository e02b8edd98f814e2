/** State every limit of the network, its unit, and how limits relate. */
import { assert } from '../../protocol/assert.ts';
import { blobBlockBytes, gossipBytesMax } from '../../protocol/params.ts';

/** Bytes of the tick in front of every gossiped message. */
export const tickBytes = 8;
/** Milliseconds of a tick: equal bytes published in different ticks are sent again. */
export const repeatMs = 1_000;
/** Milliseconds in which equal bytes are passed on once, whatever their tick. */
export const repeatHoldMs = 500;
/** Messages whose last passing is remembered; older ones are forgotten first. */
export const repeatCountMax = 65_536;
/** Milliseconds for which one message, tick included, is known again. */
export const seenMs = 30_000;

/** Heartbeats of a second for which others are told that a message is here. */
export const lazyHeartbeatCount = 2;
/** Bytes from which a message is worth telling peers that it need not come again. */
export const unwantedBytesMin = 4_096;
/** Bytes of one gossip frame: a few messages in answer to what a peer says it missed. */
export const gossipFrameBytesMax = 2 * 1024 * 1024;
/** Bytes that may wait for one peer's gossip stream before it is given up. */
export const gossipQueueBytesMax = 8 * 1024 * 1024;

/** Bytes that one turn of the loop may write to a connection before they are sent. */
export const batchBytesMax = 64 * 1024;
/** Bytes that a sender may be granted before it is told, and streams of which that is kept. */
export const heldCreditBytesMax = 64 * 1024;
export const heldCreditCountMax = 4_096;

/** Bytes of one request, and of one response. */
export const requestBytesMax = 64 * 1024;
export const responseBytesMax = 8 * 1024 * 1024;
/** Bytes of the sentence that says why a request was refused. */
export const reasonBytesMax = 256;
/** Streams of one protocol that a peer may hold open to us, and that we hold open to it. */
export const inboundStreamCountMax = 32;
export const outboundStreamCountMax = 16;
/** Requests that may wait for a stream to one peer. */
export const waitingCountMax = 256;
/** Answers in the making for one peer, and for all. */
export const answerCountPerPeerMax = 8;
export const answerCountMax = 64;
/** Milliseconds in which a request that has begun must be here, and an answer must be made. */
export const requestReadMsMax = 10_000;
export const answerMsMax = 30_000;
/** Milliseconds a response may take: a base, and what its bytes need at the least rate. */
export const responseBaseMs = 5_000;
export const responseBytesPerMsMin = 256;
/** Milliseconds that an unused stream is kept, by the asker and by the answerer. */
export const idleAskerMs = 30_000;
export const idleAnswererMs = 60_000;

/** Connections, handshakes in progress, and new ones a second from one remote host. */
export const connectionCountMax = 256;
export const handshakeCountMax = 100;
export const handshakesPerSecondMax = 20;
export const loopbackHandshakesPerSecondMax = 1_000;
/** Addresses that are dialled for ever. */
export const knownPeerCountMax = 1_024;
/** Milliseconds: one dial, first wait after a failure, longest wait. */
export const dialMsMax = 5_000;
export const redialMsMin = 250;
export const redialMsMax = 15_000;
/** Milliseconds that a peer of another network has to learn that it is one. */
export const strangerMs = 500;
/** Milliseconds that the smaller peer id waits for the larger one to dial. */
export const politeMs = 400;

/** Peers that were found by asking: how many are kept, and addresses of each. */
export const foundPeerCountMax = 128;
export const foundAddressCountMax = 8;
/** Connections from which on no more peers that were found are dialled. */
export const wantedPeerCountMax = 32;
/** Milliseconds: a found peer that was not reached is forgotten; the longest wait for it. */
export const foundMsMax = 600_000;
export const foundRedialMsMax = 60_000;
/** Milliseconds that the smaller peer id waits for the larger one, which may not know it yet. */
export const foundPoliteMs = 1_500;
/** Milliseconds from a new connection to a search, between two searches, and for one. */
export const searchSoonMs = 400;
export const searchMs = 30_000;
export const searchMsMax = 10_000;
/** Peers that one answer of a search may name, and bytes that all answers on a stream may have. */
export const namedPeerCountMax = 20;
export const searchBytesMax = 64 * 1024;
/** Strangers whose reason is remembered. */
export const strangerCountMax = 64;

/** Milliseconds between two looks of the watchdog, and looks in a row that must fail. */
export const watchMs = 1_000;
export const watchMissCountMax = 2;
/** Milliseconds that a young connection has to open its gossip streams. */
export const watchGraceMs = 5_000;
/** Milliseconds that a stranger with a ruined score is kept out, and strangers remembered. */
export const banMs = 60_000;
export const banCountMax = 4_096;

assert(repeatHoldMs < repeatMs, 'what is published each tick is passed on each tick');
assert(gossipFrameBytesMax > 16 * (gossipBytesMax + tickBytes), 'a frame holds several messages');
assert(gossipQueueBytesMax > gossipFrameBytesMax, 'a whole frame may wait');
assert(responseBytesMax > blobBlockBytes + 1_024, 'a response holds a block');
assert(idleAskerMs < idleAnswererMs, 'the asker lets go first, so no request meets a closed door');
