/** Keep what was fetched of a blob when its fetch ended early, within a bound. */
import { type BlobManifest, manifestBlockBytes } from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';

/** Bytes of unfinished blobs that are kept for one store; the oldest are forgotten first. */
const partialBytesMax = 64 * 1024 * 1024;

/** A blob that is being put together. Blocks are written only after they were checked. */
export type Partial = {
  readonly manifest: BlobManifest;
  readonly bytes: Uint8Array;
  /** Whether a block is there, by its index. */
  readonly have: boolean[];
};

export function emptyPartial(manifest: BlobManifest): Partial {
  const have = manifest.blocks.map(() => false);
  return { manifest, bytes: new Uint8Array(manifest.size), have };
}

/** Puts a block that has the length its place asks for; false if it has another. */
export function putBlock(partial: Partial, index: number, block: Uint8Array): boolean {
  if (block.length !== manifestBlockBytes(partial.manifest, index)) return false;
  partial.bytes.set(block, index * blobBlockBytes);
  partial.have[index] = true;
  return true;
}

/** Unfinished blobs of one store, by the text of their content ids. */
export type Partials = {
  readonly take: (name: string) => Partial | null;
  readonly keep: (name: string, partial: Partial) => void;
};

export function partials(): Partials {
  const kept = new Map<string, Partial>();
  let bytes = 0;
  const take = (name: string): Partial | null => {
    const partial = kept.get(name) ?? null;
    if (partial !== null) {
      kept.delete(name);
      bytes -= partial.bytes.length;
    }
    return partial;
  };
  const keep = (name: string, partial: Partial): void => {
    take(name);
    if (partial.bytes.length > partialBytesMax || !partial.have.includes(true)) return;
    kept.set(name, partial);
    bytes += partial.bytes.length;
    for (const oldest of kept.keys()) {
      if (bytes <= partialBytesMax) break;
      take(oldest);
    }
  };
  return { take, keep };
}
