/** Explain the codes of peers, streams and gossip. */
import { entries } from './entry.ts';

export const networkCodes = [
  ...entries(6, [
    [
      'NETWORK_NO_QUORUM',
      'Too few seats are heard, so nothing can be ordered.',
      'More than a third of the seats are down, cut off or unreachable from here.',
      'See which seats are missing in the message; the job goes on by itself once enough are back.',
    ],
    [
      'NETWORK_PEER_UNKNOWN',
      'A peer was asked to which there is no connection.',
      'It went away, or was never reached.',
      'Ask one of the connected peers; redialling goes on by itself.',
    ],
    [
      'NETWORK_TIMEOUT',
      'A peer did not answer in time.',
      'It is slow, overloaded or cut off.',
      'Another peer is asked; check the connection if this repeats.',
    ],
    [
      'NETWORK_REFUSED',
      'A peer refused a request.',
      'It does not have what was asked for, or does not serve it.',
      'Ask another peer.',
    ],
    [
      'NETWORK_CLOSED',
      'A peer broke off in the middle of an answer.',
      'It stopped, or the connection was cut.',
      'Ask again, or ask another peer.',
    ],
    [
      'NETWORK_BUSY',
      'Too many requests wait for one peer already.',
      'The number of requests under way to a peer is bounded.',
      'Ask another peer, or later.',
    ],
    [
      'NETWORK_BLOB_UNAVAILABLE',
      'Nobody who is connected gave a blob.',
      'The peers that hold it are gone, or never had it.',
      'Keep a node running that has the blob until the job has ended.',
    ],
  ]),
  ...entries(2, [
    [
      'NETWORK_LISTEN',
      'The node cannot listen on its addresses.',
      'Another process holds the port, or the address is not this machine’s.',
      'Choose another address (--listen; with `dev`, --api-port), or stop what holds it.',
    ],
    [
      'NETWORK_ADDRESS',
      'A text is not the address of a peer.',
      'An address names protocol, host, port and peer id.',
      'Write it like /ip4/192.0.2.1/tcp/26900/p2p/12D3….',
    ],
  ]),
  ...entries(1, [
    [
      'NETWORK_STOPPED',
      'The network was used before its start or after its end.',
      'A part of the node outlived its network: a bug of ours.',
      'Run it again with -v and report the stack.',
    ],
    [
      'NETWORK_TOO_LARGE',
      'A request or an answer would be larger than one may be.',
      'Streams have limits in bytes.',
      'Ask for less at once.',
    ],
    [
      'NETWORK_MESSAGE_TOO_LARGE',
      'A message was too large for gossip and was not sent.',
      'Gossip carries at most 64 KiB; larger things travel by stream.',
      'A bug of ours: run it again with -v and report it.',
    ],
    [
      'NETWORK_JUDGE_FAILED',
      'The judgement of a message failed; the message was ignored.',
      'A bug of ours.',
      'Run it again with -v and report the stack.',
    ],
    [
      'NODE_FAILED',
      'The node inside this command failed.',
      'The cause is in the message.',
      'Run it again with -v and report the stack.',
    ],
  ]),
  ...entries(4, [
    [
      'NETWORK_BLOB_TOO_LONG',
      'A blob is longer than what was wanted of it.',
      'Whoever made the blob made it too long for its purpose.',
      'Use a shorter one.',
    ],
    [
      'NETWORK_BLOB_MALFORMED',
      'A blob names blocks that do not make up its size.',
      'Whoever made it is at fault: the name fits the bytes.',
      'Make the blob again.',
    ],
  ]),
  ...entries(null, [
    [
      'NETWORK_MESSAGE_SIZE',
      'A peer gossiped a message larger than one may be.',
      'It runs other software, or means harm.',
      'Nothing to do: the message is rejected and the peer loses its standing.',
    ],
    [
      'GOSSIP_MALFORMED',
      'A gossiped message cannot be decoded.',
      'Its sender runs other software, or means harm.',
      'Nothing to do: the message is rejected and the peer loses its standing.',
    ],
    [
      'GOSSIP_OTHER_NETWORK',
      'A gossiped message belongs to another network.',
      'Its sender is in the wrong network.',
      'Nothing to do: the message is rejected.',
    ],
    [
      'CERTIFICATE_KNOWN',
      'A certificate that says what another one said a moment ago.',
      'Every seat makes one of its own, with other voters in it.',
      'Nothing to do: one is enough, and the message is ignored, which is no fault.',
    ],
    [
      'GOSSIP_OTHER_EPOCH',
      'A gossiped vote belongs to another epoch.',
      'Its sender is ahead or behind, or says so.',
      'Nothing to do: the message is ignored, which is no fault.',
    ],
  ]),
];
