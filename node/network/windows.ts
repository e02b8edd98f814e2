/** Tell a sender how much more it may send once in a while, not for each frame. */
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface';
import { heldCreditBytesMax, heldCreditCountMax } from './limits.ts';

/** A Yamux header: version 0, type, flags, stream, length; big-endian. */
const headerBytes = 12;
const windowUpdate = 1;

/**
 * Makes a muxer that holds back small window updates.
 *
 * The library grants a sender each frame's bytes as soon as they are here: a packet back for every
 * packet that comes. A grant is held until it is a quarter of the smallest window, which no sender
 * has to wait for.
 */
export function thrifty<C>(
  make: (components: C) => StreamMuxerFactory,
): (components: C) => StreamMuxerFactory {
  return (components) => {
    const inner = make(components);
    const create = inner.createStreamMuxer.bind(inner);
    return Object.assign(inner, {
      createStreamMuxer: (connection: MessageStream) => {
        hold(connection);
        return create(connection);
      },
    });
  };
}

/** Puts a purse for grants before a connection. */
function hold(connection: MessageStream): void {
  const send = connection.send.bind(connection);
  /** Bytes that streams have been granted and were not told of, by their number. */
  const held = new Map<number, number>();
  connection.send = (data) => {
    if (data.byteLength !== headerBytes) return send(data);
    const header = data.subarray();
    const view = new DataView(header.buffer, header.byteOffset, headerBytes);
    const isGrant = header[0] === 0 && header[1] === windowUpdate && view.getUint16(2) === 0;
    if (!isGrant) return send(data);
    const stream = view.getUint32(4);
    const bytes = (held.get(stream) ?? 0) + view.getUint32(8);
    if (bytes < heldCreditBytesMax && held.size < heldCreditCountMax) {
      held.set(stream, bytes);
      return !connection.writableNeedsDrain;
    }
    held.delete(stream);
    const grant = new Uint8Array(header);
    new DataView(grant.buffer).setUint32(8, bytes);
    return send(grant);
  };
}
