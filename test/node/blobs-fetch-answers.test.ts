// Goal: what peers say about blobs has one form, and a store answers with what it has, no more.
// Method: properties of the codecs; a store in memory, once damaged behind its back.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type BlobAnswer,
  type BlobRequest,
  blobRequestCodec,
  decodeBlobAnswer,
  encodeBlobAnswer,
} from '../../node/network/blob-codec.ts';
import { answerBlob } from '../../node/network/blobs.ts';
import { openMemoryBlobs } from '../../node/storage/memory-blobs.ts';
import { observeMarks } from '../../protocol/assert.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import {
  type Cid,
  listBlobBytesMax,
  manifestCodec,
  manifestOf,
  rawCid,
} from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { pattern } from '../ports/blobs.ts';

const reached = new Set<string>();
beforeAll(() => observeMarks((line) => reached.add(line)));
afterAll(() => {
  observeMarks(null);
  expect([...reached]).toEqual(expect.arrayContaining(['W26', 'W27', 'W28']));
});

describe('requests and answers', () => {
  const index = fc.nat(4_095);
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });

  test('are read as they were written, and nothing else is read', () => {
    fc.assert(
      fc.property(digest, index, (bytes, at) => {
        const cid = rawCid(bytes);
        for (const request of [
          { kind: 'manifest', cid },
          { kind: 'block', cid, index: at },
          { kind: 'list', cid, index: at % 160 },
        ] as const) {
          const body = blobRequestCodec.encode(request);
          expect(blobRequestCodec.decode(body)).toEqual(request);
          expect(() => blobRequestCodec.decode(body.subarray(1))).toThrow();
        }
      }),
    );
    const wrong = rawCid(new Uint8Array(32)).slice() as Cid;
    wrong[1] = 0x70;
    const body = blobRequestCodec.encode({ kind: 'manifest', cid: wrong });
    expect(() => blobRequestCodec.decode(body)).toThrow('a content id');
    expect(() => blobRequestCodec.encode({ kind: 'list', cid: wrong, index: 160 })).toThrow();
  });

  test('answers too: what is read is the one way to write it', () => {
    const answer: fc.Arbitrary<BlobAnswer> = fc.oneof(
      fc.constant<BlobAnswer>({ kind: 'absent' }),
      fc.record({ kind: fc.constant('piece' as const), bytes: fc.uint8Array() }),
      fc.record({
        kind: fc.constant('listPiece' as const),
        size: fc.nat(listBlobBytesMax),
        bytes: fc.uint8Array(),
      }),
    );
    fc.assert(
      fc.property(answer, (one) => {
        expect(decodeBlobAnswer(encodeBlobAnswer(one))).toEqual(one);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (body) => {
        const read = decodeBlobAnswer(body);
        if (read !== null) expect(encodeBlobAnswer(read)).toEqual(body);
      }),
      { numRuns: 1_000 },
    );
    for (const wrong of [[], [0, 0], [2, 0, 0, 0], [3], [2, 255, 0, 0, 0]])
      expect(decodeBlobAnswer(Uint8Array.from(wrong))).toBeNull();
    for (const kind of [1, 2]) {
      const longest = new Uint8Array(5 + blobBlockBytes);
      longest[0] = kind;
      expect(decodeBlobAnswer(longest) === null).toBe(kind === 1);
    }
  });

  test('a store answers with what it has, and a damaged blob is simply absent', async () => {
    const store = openMemoryBlobs({ quotaBytes: 1 << 26 });
    const long = pattern(2 * blobBlockBytes + 3);
    const cid = (await store.put(long)) as Cid;
    const ask = async (request: BlobRequest) =>
      decodeBlobAnswer(await answerBlob(store, blobRequestCodec.encode(request)));
    expect(await ask({ kind: 'manifest', cid })).toEqual({
      kind: 'piece',
      bytes: manifestCodec.encode(manifestOf(long)!),
    });
    expect(await ask({ kind: 'block', cid, index: 2 })).toEqual({
      kind: 'piece',
      bytes: long.slice(2 * blobBlockBytes),
    });
    expect(await ask({ kind: 'block', cid, index: 3 })).toEqual({ kind: 'absent' });
    const absent = rawCid(sha256(utf8('never put')));
    for (const kind of ['block', 'list'] as const)
      expect(await ask({ kind, cid: absent, index: 0 })).toEqual({ kind: 'absent' });
    store.damage(cid, pattern(2 * blobBlockBytes + 3, 9));
    expect(await ask({ kind: 'block', cid, index: 0 })).toEqual({ kind: 'absent' });
    await expect(answerBlob(store, utf8('junk'))).rejects.toMatchObject({
      code: 'CODEC_MALFORMED',
    });
  });
});
