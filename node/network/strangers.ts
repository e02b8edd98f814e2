/** Remember who was refused, and why, so that its owner and ours can be told. */
import { strangerCountMax } from './limits.ts';
import type { Wanted } from './redial.ts';

/** Strangers that were refused lately; the oldest are forgotten first. */
export type Strangers = {
  readonly add: (peer: string, address: string, reason: string) => void;
  /** It has come as one of ours. */
  readonly remove: (peer: string) => void;
  readonly all: () => readonly Wanted[];
};

export function strangers(): Strangers {
  const refused = new Map<string, Wanted>();
  return {
    add: (peer, address, reason) => {
      refused.delete(peer);
      refused.set(peer, { id: peer, addresses: [address], reason });
      for (const oldest of refused.keys()) {
        if (refused.size <= strangerCountMax) break;
        refused.delete(oldest);
      }
    },
    remove: (peer) => void refused.delete(peer),
    all: () => [...refused.values()],
  };
}
