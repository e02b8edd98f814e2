// Goal: what travels in front of a gossiped message lets it be announced again, and floods nobody.
// Method: properties of the pure parts; two implementations of "once a hold" against each other.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  messageId,
  repeatWindow,
  unwrapMessage,
  wrapMessage,
} from '../../node/network/envelope.ts';
import { repeatCountMax, repeatHoldMs, repeatMs } from '../../node/network/limits.ts';
import { networkNames, topics } from '../../node/network/names.ts';
import { hex, utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { gossipBytesMax } from '../../protocol/params.ts';

const networkId = sha256(utf8('a network of tests'));
const names = networkNames(networkId);

describe('a message', () => {
  const payload = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const time = fc.nat(2 ** 31);

  test('is the payload after its tick, and gives it back', () => {
    fc.assert(
      fc.property(time, payload, (nowMs, bytes) => {
        const message = wrapMessage(nowMs, bytes);
        expect(message.length).toBe(bytes.length + 8);
        expect(unwrapMessage(message)).toEqual(bytes);
      }),
    );
    expect(unwrapMessage(new Uint8Array(8))).toBeNull();
    expect(unwrapMessage(new Uint8Array(8 + gossipBytesMax))).toHaveLength(gossipBytesMax);
    expect(unwrapMessage(new Uint8Array(9 + gossipBytesMax))).toBeNull();
  });

  test('has one id for a topic, a payload and a tick, and another if one of them differs', () => {
    fc.assert(
      fc.property(time, payload, fc.constantFrom(...topics), (nowMs, bytes, word) => {
        const topic = names.topic(word);
        const start = nowMs - (nowMs % repeatMs);
        const id = messageId(topic, wrapMessage(start, bytes));
        expect(messageId(topic, wrapMessage(start + repeatMs - 1, bytes))).toEqual(id);
        expect(messageId(topic, wrapMessage(start + repeatMs, bytes))).not.toEqual(id);
        for (const other of topics)
          if (other !== word)
            expect(messageId(names.topic(other), wrapMessage(start, bytes))).not.toEqual(id);
        const changed = bytes.slice();
        changed[0]! ^= 1;
        expect(messageId(topic, wrapMessage(start, changed))).not.toEqual(id);
      }),
    );
  });

  test('is passed on once a hold, however often it comes, within bounded memory', () => {
    const arrivals = fc.array(fc.record({ which: fc.nat(3), wait: fc.nat(repeatHoldMs) }));
    fc.assert(
      fc.property(arrivals, (all) => {
        const window = repeatWindow();
        const last = new Map<number, number>();
        let nowMs = 0;
        for (const { which, wait } of all) {
          nowMs += wait;
          const isRepeat = window.isRepeat('t', Uint8Array.of(which), nowMs);
          expect(isRepeat).toBe(nowMs < (last.get(which) ?? -Infinity) + repeatHoldMs);
          if (!isRepeat) last.set(which, nowMs);
        }
      }),
    );
    const window = repeatWindow();
    expect(window.isRepeat('t', utf8('first'), 0)).toBe(false);
    expect(window.isRepeat('u', utf8('first'), 0), 'another topic').toBe(false);
    const bytes = new Uint8Array(4);
    for (let i = 0; i < repeatCountMax; i++) {
      new DataView(bytes.buffer).setUint32(0, i);
      window.isRepeat('t', bytes, 1);
    }
    expect(window.isRepeat('t', utf8('first'), 1), 'the oldest is forgotten').toBe(false);
  });
});

test('names of one network are never those of another', () => {
  const other = networkNames(sha256(utf8('another network')));
  for (const topic of topics) {
    expect(names.topic(topic)).toBe(`/anwansi/1/${hex(networkId).slice(0, 16)}/${topic}`);
    expect(names.topicOf(names.topic(topic))).toBe(topic);
    expect(names.topicOf(other.topic(topic))).toBeNull();
  }
  expect(names.protocol('sync')).not.toBe(other.protocol('sync'));
  expect(names.protocol('sync')).not.toBe(names.protocol('blob'));
});
