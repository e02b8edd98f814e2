/** Send what one turn of the loop wrote on a connection at once: fewer, larger packets. */
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection,
} from '@libp2p/interface';
import { batchBytesMax } from './limits.ts';

/** What has been written on one connection and was not sent yet. */
type Outbox = {
  /** Sends it now. */
  readonly flush: () => void;
};

/** Outboxes that are emptied at the end of this turn, and whether that end is awaited. */
const due = new Set<Outbox>();
let isAwaited = false;

/**
 * Makes an encrypter whose connections gather what is written until the turn of the loop is over,
 * and then encrypt and send it as one.
 *
 * Gossip writes many small frames in one turn. Each alone costs an encryption, two system calls
 * and a packet; together they cost one. The busier the process, the more a turn gathers.
 */
export function batching<C>(
  make: (components: C) => ConnectionEncrypter,
): (components: C) => ConnectionEncrypter {
  return (components) => {
    const inner = make(components);
    const { secureInbound, secureOutbound } = inner;
    return Object.assign(inner, {
      secureInbound: secured(secureInbound.bind(inner)),
      secureOutbound: secured(secureOutbound.bind(inner)),
    });
  };
}

type Secure = (raw: MessageStream, options?: SecureConnectionOptions) => Promise<SecuredConnection>;

function secured(secure: Secure): Secure {
  return async (raw, options) => {
    // A ciphertext and its length prefix are two pieces: the socket would send each by itself.
    const send = raw.send.bind(raw);
    raw.send = (data) => send(data.subarray());
    const result = await secure(raw, options);
    const outbox = gather(result.connection);
    const close = raw.close.bind(raw);
    raw.close = async (closing) => {
      outbox.flush();
      await close(closing);
    };
    return result;
  };
}

/** Puts an outbox before a connection. */
function gather(connection: MessageStream): Outbox {
  const send = connection.send.bind(connection);
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  const flush = (): void => {
    due.delete(outbox);
    const all = waiting;
    waiting = [];
    bytes = 0;
    if (all.length === 0 || connection.status !== 'open') return;
    try {
      send(all.length === 1 ? all[0]! : Buffer.concat(all));
    } catch {
      // It ended meanwhile, and has told its owner: what was on its way is lost, as on any wire.
    }
  };
  const outbox: Outbox = { flush };
  connection.send = (data) => {
    // A connection that takes nothing any more says so itself.
    if (connection.status !== 'open') return send(data);
    waiting.push(data.subarray());
    bytes += data.byteLength;
    if (bytes >= batchBytesMax) flush();
    else {
      due.add(outbox);
      if (!isAwaited) setImmediate(flushAll);
      isAwaited = true;
    }
    return !connection.writableNeedsDrain;
  };
  return outbox;
}

function flushAll(): void {
  // First of all: what is written because of what is sent here is sent at the end of the next turn.
  isAwaited = false;
  for (const { flush } of [...due]) flush();
}
