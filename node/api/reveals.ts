/** Find the small values that reveals carry, for whoever asks for one by its content id. */
import { hex } from '../../protocol/brand.ts';
import { recent } from '../../protocol/crypto/recent.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { blobCid, type Cid } from '../../protocol/merkle/blob.ts';
import type { AnwansiNode, FinalBlock } from '../face.ts';
import { statementIn } from '../job-log.ts';

/** Values that are remembered: at most 1 KiB each. */
const valueCountMax = 8_192;
/** Final blocks that are looked through for one question; older reveals are left to their seats. */
const blockCountMax = 4_096;

/** Milliseconds that a final block may take to reach the disk, and between two looks for it. */
const storedMsMax = 1_000;
const lookMs = 20;

/** A value that a reveal of a running job carries; null where none that is final does. */
export type Revealed = (cid: Cid) => Promise<Uint8Array | null>;

/**
 * Looks through the final blocks of the jobs that run, each block once, and only when somebody
 * asks: a node whose seat did not execute a lane knows its value from the reveals alone.
 */
export function revealedValues(node: Pick<AnwansiNode, 'state' | 'block'>): Revealed {
  const values = recent<Uint8Array>(valueCountMax);
  let height = 0;
  let reading: Promise<void> | null = null;
  const read = async (): Promise<void> => {
    const { header, map } = node.state().final;
    const cursor = new StateCursor(map);
    const included = cursor.open().map((id) => cursor.job(id)!.includedHeight);
    // What no running job rests on is passed over: nobody is shown a value of it.
    const first = included.length === 0 ? header.height : Math.min(...included);
    const from = Math.max(height, first, header.height - blockCountMax);
    for (let at = from + 1; at <= header.height; at++) {
      const found = await stored(node, at);
      if (found === null) return;
      for (const item of found.block.items) {
        const statement = statementIn(item)?.statement;
        if (statement?.kind !== 'reveal' || statement.value === null) continue;
        values.set(hex(blobCid(statement.value)), statement.value);
      }
      height = at;
    }
    height = header.height;
  };
  return async (cid) => {
    const known = values.get(hex(cid));
    if (known !== undefined) return known;
    if (height < node.state().final.header.height) {
      reading ??= read().finally(() => {
        reading = null;
      });
      await reading;
    }
    return values.get(hex(cid)) ?? null;
  };
}

/** A block that is final in memory is on disk soon; null if it is not even then. */
async function stored(
  node: Pick<AnwansiNode, 'block'>,
  height: number,
): Promise<FinalBlock | null> {
  const deadline = Date.now() + storedMsMax;
  for (;;) {
    const block = await node.block(height);
    if (block !== null || Date.now() >= deadline) return block;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
