/** Say what went wrong between us and a peer, and what to do about it. */
import { ProtocolError } from '../../protocol/errors.ts';

export type NetworkErrorDetail = Readonly<
  | { code: 'NETWORK_STOPPED' }
  | { code: 'NETWORK_LISTEN'; addresses: readonly string[]; reason: string }
  | { code: 'NETWORK_ADDRESS'; address: string; reason: string }
  | { code: 'NETWORK_PEER_UNKNOWN'; peer: string }
  | { code: 'NETWORK_TIMEOUT'; peer: string; doing: string }
  | { code: 'NETWORK_REFUSED'; peer: string; reason: string }
  | { code: 'NETWORK_CLOSED'; peer: string; reason: string }
  | { code: 'NETWORK_BUSY'; peer: string; waitingMax: number }
  | { code: 'NETWORK_TOO_LARGE'; peer: string; what: 'request' | 'response'; bytesMax: number }
  | { code: 'NETWORK_MESSAGE_TOO_LARGE'; topic: string; bytes: number; bytesMax: number }
  | { code: 'NETWORK_JUDGE_FAILED'; topic: string }
  | { code: 'NETWORK_BLOB_TOO_LONG'; cid: string; bytes: number; bytesMax: number }
  | { code: 'NETWORK_BLOB_MALFORMED'; cid: string }
  | { code: 'NETWORK_BLOB_UNAVAILABLE'; cid: string; reasons: readonly string[] }
>;

/** A peer, a socket or an address that did not do what was asked. Never our own bug. */
export class NetworkError extends ProtocolError<NetworkErrorDetail> {
  constructor(detail: NetworkErrorDetail, cause?: unknown) {
    super(detail, describe(detail), cause === undefined ? undefined : { cause });
  }
}

function describe(detail: NetworkErrorDetail): string {
  switch (detail.code) {
    case 'NETWORK_STOPPED':
      return 'the network is stopped: start it before asking a peer';
    case 'NETWORK_LISTEN':
      return (
        `cannot listen on ${detail.addresses.join(', ')} (${detail.reason}): ` +
        'choose another address, or stop what holds it'
      );
    case 'NETWORK_ADDRESS':
      return (
        `${detail.address} is not an address of a peer (${detail.reason}): ` +
        'write it like /ip4/192.0.2.1/tcp/26900/p2p/12D3…'
      );
    case 'NETWORK_PEER_UNKNOWN':
      return `not connected to ${detail.peer}: ask one of the peers that are`;
    case 'NETWORK_TIMEOUT':
      return `${detail.peer} did not finish ${detail.doing} in time: ask another peer`;
    case 'NETWORK_REFUSED':
      return `${detail.peer} refused: ${detail.reason}`;
    case 'NETWORK_CLOSED':
      return `${detail.peer} broke off (${detail.reason}): ask again, or ask another peer`;
    case 'NETWORK_BUSY':
      return (
        `${detail.waitingMax} requests already wait for ${detail.peer}: ` +
        'ask another peer, or later'
      );
    case 'NETWORK_TOO_LARGE':
      return (
        `the ${detail.what} would pass ${detail.bytesMax} bytes, the most that one may have: ` +
        'ask for less at once'
      );
    case 'NETWORK_MESSAGE_TOO_LARGE':
      return (
        `a message of ${detail.bytes} bytes on ${detail.topic} was not sent: at most ` +
        `${detail.bytesMax} are allowed, larger things travel by stream`
      );
    case 'NETWORK_JUDGE_FAILED':
      return `the judge of ${detail.topic} threw: a bug of ours; the message was ignored`;
    case 'NETWORK_BLOB_TOO_LONG':
      return `${detail.cid} has ${detail.bytes} bytes where at most ${detail.bytesMax} are wanted`;
    case 'NETWORK_BLOB_MALFORMED':
      return `${detail.cid} names blocks that do not make up its size: whoever made it is at fault`;
    case 'NETWORK_BLOB_UNAVAILABLE':
      return `nobody gave ${detail.cid}: ${detail.reasons.join('; ') || 'no peer to ask'}`;
  }
}
