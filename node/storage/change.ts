/** Bound what goes into the store, the same for every implementation. */
import { assert } from '../../protocol/assert.ts';
import type { StoreChange } from '../ports.ts';

/** Bytes of one key and of one value. */
export const storeKeyBytesMax = 256;
export const storeValueBytesMax = 64 * 1024 * 1024;

/** Stops on a change that the port does not allow: keys have a byte at least. */
export function checkChanges(changes: readonly StoreChange[]): void {
  for (const { key, value } of changes) {
    assert(key.length > 0 && key.length <= storeKeyBytesMax, 'a key has 1 to 256 bytes');
    assert(value === null || value.length <= storeValueBytesMax, 'a value has at most 64 MiB');
  }
}
