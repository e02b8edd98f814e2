/** Explain the codes of encoded values. */
import { entries } from './entry.ts';

export const wireCodes = [
  ...entries(4, [
    [
      'CODEC_TOO_LONG',
      'Encoded bytes are longer than their kind may be.',
      'Every kind of value has a limit, so that nobody can fill a memory.',
      'Whoever made the bytes has to make fewer; nothing of them was read.',
    ],
    [
      'CODEC_TOO_MANY',
      'Encoded bytes hold more values than their kind may.',
      'Small bytes could otherwise grow to a tree that fills a memory.',
      'Whoever made the bytes has to make fewer values; nothing of them was read.',
    ],
    [
      'CODEC_MALFORMED',
      'Bytes are not dag-cbor.',
      'They were cut off, changed, or are something else.',
      'Get them again, from somewhere else if this repeats.',
    ],
    [
      'CODEC_NOT_CANONICAL',
      'Bytes are dag-cbor, but not the one way to write their value.',
      'Each value has one encoding, so that one value cannot have two hashes.',
      'Whoever made the bytes has to encode them canonically.',
    ],
    [
      'CODEC_SHAPE',
      'A field has another type than its kind says.',
      'The bytes are of another kind or version, or were changed.',
      'Check that the file or message is of the kind that is expected.',
    ],
    [
      'CODEC_RANGE',
      'A number, text, list or byte string is outside its limits.',
      'Every field has a limit with its unit.',
      'The message names the field and the limit; keep within it.',
    ],
  ]),
];
