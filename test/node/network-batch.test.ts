// Goal: what is written in one turn is sent as one, in order and whole; grants are never lost.
// Method: laws on a connection that only writes down what it is given; the same unwrapped is the
// twin. That real connections stand it is shown by every test over libp2p.
import type { ConnectionEncrypter, MessageStream, StreamMuxerFactory } from '@libp2p/interface';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batching } from '../../node/network/batch.ts';
import { batchBytesMax, heldCreditBytesMax } from '../../node/network/limits.ts';
import { thrifty } from '../../node/network/windows.ts';

type Fake = MessageStream & { readonly sent: Uint8Array[]; onSend: () => void };

/** A connection that keeps what it is given, piece by piece as it comes. */
function fake(): Fake {
  const sent: Uint8Array[] = [];
  const one = {
    status: 'open',
    writableNeedsDrain: false,
    sent,
    onSend: () => undefined,
    send: (data: Uint8Array) => {
      if (one.status !== 'open') throw new Error('closed');
      sent.push(data.slice());
      one.onSend();
      return true;
    },
    close: async () => {
      one.status = 'closed';
    },
  };
  return one as unknown as Fake;
}

/** An encrypted connection as `batching` makes it, and what is below it. */
async function batched(): Promise<{ readonly raw: Fake; readonly upper: Fake }> {
  const [raw, upper] = [fake(), fake()];
  const secure = async () => ({ connection: upper, remotePeer: null as never });
  const encrypter = { protocol: '/fake', secureInbound: secure, secureOutbound: secure };
  const made = batching(() => encrypter as ConnectionEncrypter)({});
  await made.secureOutbound(raw);
  return { raw, upper };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const joined = (all: readonly Uint8Array[]): string => Buffer.concat(all).toString('hex');

test('what one turn writes is one message, whole and in order', async () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), {
    minLength: 1,
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { maxLength: 4 }), async (turns) => {
      const { upper } = await batched();
      for (const all of turns) {
        const before = upper.sent.length;
        for (const piece of all) upper.send(piece);
        expect(upper.sent.length, 'nothing before the turn is over').toBe(before);
        await turn();
        expect(upper.sent.length, 'then one').toBe(before + 1);
      }
      expect(joined(upper.sent)).toBe(joined(turns.flat()));
    }),
    { numRuns: 40 },
  );
  const bare = fake();
  for (let i = 0; i < 9; i++) bare.send(new Uint8Array(3));
  expect(bare.sent.length, 'the twin sends each by itself').toBe(9);
});

test('much is sent at once, a closing sends the rest, and the dead are not written to', async () => {
  const { raw, upper } = await batched();
  upper.send(new Uint8Array(batchBytesMax));
  expect(upper.sent.length).toBe(1);
  upper.send(new Uint8Array(5));
  await raw.close();
  expect(upper.sent.map(({ length }) => length)).toEqual([batchBytesMax, 5]);
  upper.send(new Uint8Array(6));
  upper.status = 'aborted';
  await turn();
  expect(upper.sent.length, 'lost, as on any wire').toBe(2);
  expect(() => upper.send(new Uint8Array(1)), 'and now it says so').toThrow('closed');
});

test('what is written while a turn is being sent goes with the next one', async () => {
  const [a, b] = [(await batched()).upper, (await batched()).upper];
  // The sending of b makes somebody write to a, whose turn is past.
  b.onSend = () => {
    b.onSend = () => undefined;
    a.send(Uint8Array.of(2));
  };
  a.send(Uint8Array.of(1));
  b.send(Uint8Array.of(9));
  await turn();
  await turn();
  a.send(Uint8Array.of(3));
  await turn();
  expect(joined(a.sent)).toBe('010203');
});

/** A window update of a stream; with flags it opens, accepts or ends one. */
function update(stream: number, bytes: number, flags = 0): Uint8Array {
  const frame = new Uint8Array(12);
  const view = new DataView(frame.buffer);
  view.setUint8(1, 1);
  view.setUint16(2, flags);
  view.setUint32(4, stream);
  view.setUint32(8, bytes);
  return frame;
}

function thriftyConnection(): Fake {
  const connection = fake();
  const factory = { createStreamMuxer: () => null } as unknown as StreamMuxerFactory;
  thrifty(() => factory)({}).createStreamMuxer(connection);
  return connection;
}

test('small grants are held, never more than a sender can do without, and never lost', () => {
  const grants = fc.array(
    fc.record({
      stream: fc.integer({ min: 1, max: 3 }),
      bytes: fc.integer({ min: 1, max: 90_000 }),
    }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(grants, (all) => {
      const connection = thriftyConnection();
      const owed = new Map<number, number>();
      for (const { stream, bytes } of all) {
        const before = connection.sent.length;
        connection.send(update(stream, bytes));
        owed.set(stream, (owed.get(stream) ?? 0) + bytes);
        for (const frame of connection.sent.slice(before)) {
          const view = new DataView(frame.buffer, frame.byteOffset);
          const told = view.getUint32(4);
          owed.set(told, owed.get(told)! - view.getUint32(8));
        }
        for (const left of owed.values()) {
          expect(left).toBeGreaterThanOrEqual(0);
          expect(left).toBeLessThan(heldCreditBytesMax);
        }
      }
    }),
  );
  const [connection, twin] = [thriftyConnection(), fake()];
  for (let i = 0; i < 128; i++)
    for (const one of [connection, twin]) one.send(update(1, heldCreditBytesMax / 64));
  expect([connection.sent.length, twin.sent.length]).toEqual([2, 128]);
});

test('frames that are no plain grants pass as they are', () => {
  const connection = thriftyConnection();
  const data = new Uint8Array(12); // Twelve bytes of a data frame: its header alone.
  const ping = Uint8Array.of(0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7);
  const frames = [update(1, 5, 1), update(1, 0, 8), data, ping, new Uint8Array(40).fill(1)];
  for (const frame of frames) connection.send(frame);
  expect(connection.sent).toEqual(frames);
});
