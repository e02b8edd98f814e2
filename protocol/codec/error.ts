/** Say why bytes are not the canonical encoding of anything we know. */
import { ProtocolError } from '../errors.ts';

export type CodecErrorDetail = Readonly<
  | { code: 'CODEC_TOO_LONG'; bytes: number; bytesMax: number }
  | { code: 'CODEC_TOO_MANY'; headsMax: number }
  | { code: 'CODEC_MALFORMED'; reason: string }
  | { code: 'CODEC_NOT_CANONICAL' }
  | { code: 'CODEC_SHAPE'; at: string; expected: string }
  | {
      code: 'CODEC_RANGE';
      at: string;
      value: string;
      min: number;
      max: number | string;
    }
>;

/** Bytes that are not the canonical encoding of a value. Always the sender's fault. */
export class CodecError extends ProtocolError<CodecErrorDetail> {
  constructor(detail: CodecErrorDetail) {
    super(detail, describe(detail));
  }
}

function describe(detail: CodecErrorDetail): string {
  switch (detail.code) {
    case 'CODEC_TOO_LONG':
      return `${detail.bytes} bytes where at most ${detail.bytesMax} are allowed`;
    case 'CODEC_TOO_MANY':
      return `more than ${detail.headsMax} items where at most that many are allowed`;
    case 'CODEC_MALFORMED':
      return `not dag-cbor: ${detail.reason}`;
    case 'CODEC_NOT_CANONICAL':
      return 'dag-cbor, but not the one way to write this value';
    case 'CODEC_SHAPE':
      return `${detail.at === '' ? 'value' : detail.at}: expected ${detail.expected}`;
    case 'CODEC_RANGE':
      return `${detail.at === '' ? 'value' : detail.at}: ${detail.value} is not in ${detail.min}..${detail.max}`;
  }
}
