/** Explain the codes of clients that ask a node over HTTP. */
import { entries } from './entry.ts';

export const clientCodes = [
  ...entries(6, [
    [
      'CLIENT_UNREACHABLE',
      'No node answers where one was asked for.',
      'It does not run, listens elsewhere, or the way there is cut.',
      'Start it, or say where it is: --api URL. `anwansi run --api embedded` needs none.',
    ],
    [
      'CLIENT_TIMEOUT',
      'A node was asked and did not answer in time.',
      'It is overloaded or hangs, or the way there is slow.',
      'Try again; `anwansi node doctor` says what it lacks.',
    ],
    [
      'NODE_SILENT',
      'Something listens where a node of this machine does, and gives no answer.',
      'A node has much to do, hangs or just starts; or another program has the port.',
      'Wait and run it again, name it with --api URL, or do without: --api embedded.',
    ],
    [
      'CLIENT_BROKEN_OFF',
      'A node broke off in the middle of an answer.',
      'It stopped, or the connection was cut.',
      'Try again: what was asked twice is done once.',
    ],
    [
      'CLIENT_ANSWER_MALFORMED',
      'A node gave an answer that breaks its own contract.',
      'It runs other software, something between changes answers, or it is at fault.',
      'Compare the versions of client and node, and ask another node.',
    ],
    [
      'CLIENT_ANSWER_TOO_LARGE',
      'A node gave an answer larger than any that is right.',
      'It is at fault, or means harm.',
      'Ask another node.',
    ],
  ]),
  ...entries(2, [
    [
      'CLIENT_URL',
      'The URL is not one where a node can be asked.',
      'It is misspelt, holds a password or a query, or is neither http nor https.',
      'Write it like http://127.0.0.1:26922; a token goes into a file: --token-file.',
    ],
    [
      'CLIENT_NOT_ANWANSI',
      'Something answers there, but it is no node.',
      'Another program has the port, or a proxy answers in its place.',
      'Check --api; `anwansi node doctor` looks at the usual port.',
    ],
    [
      'CLIENT_OTHER_PROTOCOL',
      'The node speaks another version of the protocol.',
      'Client and node are of different releases.',
      'Use a client of the release of the node.',
    ],
    [
      'DATA_TOO_LONG',
      'The file is longer than a blob may be.',
      'A blob has at most 1 GiB.',
      'Cut it into several; `anwansi run --input` cuts an input by itself.',
    ],
  ]),
  ...entries(3, [
    [
      'JOB_NOT_FOUND',
      'The node knows no such job.',
      'The digits are misspelt, or the job went to another network or node.',
      'List what it knows: `anwansi job list`.',
    ],
    [
      'DATA_NOT_FOUND',
      'There is no such file.',
      'The path names nothing that can be read, or something that is not a file.',
      'Check the path; it is meant from the directory you are in.',
    ],
  ]),
  ...entries(4, [
    [
      'CLIENT_OTHER_NETWORK',
      'The node names one network and gives the genesis of another.',
      'It is at fault, or means harm.',
      'Ask another node, and compare the network with that of your trust file.',
    ],
    [
      'CLIENT_BLOB_MISMATCH',
      'Bytes are not what their content id names.',
      'The node, or something on the way, changed or confused them.',
      'Nothing of them was kept. Ask again, or ask another node.',
    ],
    [
      'CLIENT_PROOF_OTHER',
      'The node gave the proof of something else.',
      'It is at fault, or means harm.',
      'Nothing of it was kept. Ask another node.',
    ],
    [
      'CLIENT_RECEIPT_OTHER',
      'The node gave the receipt of another job.',
      'It is at fault, or means harm.',
      'Nothing of it was kept. Ask another node.',
    ],
  ]),
  ...entries(7, [
    [
      'ACCOUNT_KEY_NEEDED',
      'A job on this network needs the key of an account.',
      'Only development networks have public accounts.',
      'Name the key of a funded account with --key-file, or try it out with --api embedded.',
    ],
  ]),
];
