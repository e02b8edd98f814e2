/** Explain the codes of the HTTP API. */
import { entries } from './entry.ts';

export const apiCodes = [
  ...entries(2, [
    [
      'API_HOST_REFUSED',
      'The node does not answer under this host name.',
      'A page in a browser can point any name at a node; so only known names are answered.',
      'Ask it as localhost or 127.0.0.1, or add the name to the hosts that the node allows.',
    ],
    [
      'API_ORIGIN_REFUSED',
      'A web page of another origin asked the node.',
      'Pages of strangers may not use a node through their reader’s browser.',
      'Ask from a program, or from a page that the node itself serves.',
    ],
    [
      'API_UNAUTHORIZED',
      'The token is missing or wrong.',
      'This node answers only those who know its token.',
      'Send “Authorization: Bearer”, and the token of the file that the operator has.',
    ],
    [
      'API_MALFORMED',
      'A part of the request is not what it must be.',
      'An id, a number, a header or a body has another form.',
      'The message names the part and what was expected; /openapi.json describes them all.',
    ],
    [
      'API_METHOD_REFUSED',
      'The path exists, but does not answer this method.',
      'A GET was meant, or another path.',
      'Use a method that the header Allow lists.',
    ],
    [
      'API_BODY_TYPE',
      'The body has another content type than this path takes.',
      'The header Content-Type is missing, is another, or the body is compressed.',
      'Send the type that the message names, without a Content-Encoding.',
    ],
    [
      'API_BODY_TOO_LARGE',
      'The body is longer than this path takes.',
      'Every body has a limit, so that nobody can fill a node.',
      'Send less: an input is cut into items, each a blob of its own.',
    ],
    [
      'API_KEY_REUSED',
      'The Idempotency-Key was used for another body before.',
      'One key stands for one request, however often it is sent.',
      'Make a new key for a new job.',
    ],
    [
      'API_JOB_ORDERED',
      'The job can no longer be cancelled.',
      'A final block has ordered it; what is ordered is carried out.',
      'Nothing to do: let it end.',
    ],
    [
      'API_RANGE',
      'The range of bytes that was asked for does not exist.',
      'It begins behind the end, or is not one range.',
      'Ask within the size that the header Content-Range tells.',
    ],
    [
      'API_REMOTE_REFUSED',
      'The API would be reachable from other machines.',
      'It listens on loopback unless it is told otherwise on purpose.',
      'Leave the address at 127.0.0.1, or give --allow-remote and a token file.',
    ],
    [
      'API_REMOTE_OPEN',
      'The API would be reachable from other machines without a token.',
      'Whoever reaches it could fill the disk and submit jobs.',
      'Name a file with a token of at least 32 characters that only this user can read.',
    ],
    [
      'API_TOKEN_FILE',
      'The token file cannot be used.',
      'It cannot be read, others may read it, or its token is too short.',
      'Name the api-token of the node’s data directory, or make one for both: `umask 077; head -c 32 /dev/urandom | base64 > FILE`.',
    ],
    [
      'API_LISTEN',
      'The address of the API cannot be listened on.',
      'Another program has the port, or this machine does not have the address.',
      'Choose another port, or stop the other program.',
    ],
  ]),
  ...entries(3, [
    [
      'API_NOT_FOUND',
      'There is nothing at this path.',
      'It is misspelt, or belongs to another version of the API.',
      'GET /openapi.json lists all paths.',
    ],
    [
      'API_JOB_UNKNOWN',
      'The node does not know this job.',
      'It was never submitted here, and no final block that this node has names it.',
      'Check the id; ask the node that it was submitted to; wait until this one has synced.',
    ],
    [
      'API_BLOB_UNKNOWN',
      'The node does not have this blob.',
      'It was never sent to this node, or has made room for others.',
      'Send it again, or ask a node that has it.',
    ],
    [
      'API_BLOCK_UNKNOWN',
      'The node has no such final block.',
      'The height lies above the last final one, or the hash is no final block’s.',
      'GET /v1/status tells the last final height.',
    ],
  ]),
  ...entries(5, [
    [
      'API_JOB_NOT_ENDED',
      'The job has no result yet.',
      'It is not final; the message says what it waits for.',
      'Follow it with `anwansi job watch`, and ask again when it has ended.',
    ],
  ]),
  ...entries(6, [
    [
      'API_BODY_TOO_SLOW',
      'The body came too slowly, or stopped coming.',
      'A slow sender would hold a place that others need.',
      'Send it again over a faster connection.',
    ],
    [
      'API_BODY_CUT',
      'The body broke off before its end.',
      'The sender went away, or the connection was cut.',
      'Send it again; nothing half sent was kept.',
    ],
    [
      'API_BUSY',
      'The node does as many of these at once as it will.',
      'Costly requests and open streams are bounded.',
      'Ask again after the seconds that the header Retry-After tells.',
    ],
    [
      'API_TOO_SLOW',
      'The node did not finish an answer in time.',
      'A large result, a loaded machine, or a peer that has a piece and is slow.',
      'Ask again: what was gathered so far is kept.',
    ],
  ]),
];
