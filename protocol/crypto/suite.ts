/** Name the cryptography that hosts inject: signatures and verifiable randomness. */
import type { SignatureDomain } from './domain.ts';

/** Checks signatures and VRF proofs. The same answer on every host. */
export type CryptoSuite = {
  /** Whether a key may be registered: canonical, of prime order, not the identity. */
  readonly validKey: (publicKey: Uint8Array) => boolean;
  /** Whether `signature` is `publicKey`'s over `message` (already domain-separated). */
  readonly verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** The 64-byte VRF output that `proof` proves for `input`, or null if it proves nothing. */
  readonly vrfVerify: (
    publicKey: Uint8Array,
    input: Uint8Array,
    proof: Uint8Array,
  ) => Uint8Array | null;
};

/** What a seat's holder can do with its secrets. Deterministic: equal inputs, equal outputs. */
export type SeatKeys = {
  readonly publicKey: Uint8Array;
  readonly vrfPublicKey: Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;
  readonly vrfProve: (input: Uint8Array) => {
    readonly proof: Uint8Array;
    readonly output: Uint8Array;
  };
  /** HMAC-SHA-256 under a secret of the seat's own, for salts. */
  readonly keyedHash: (bytes: Uint8Array) => Uint8Array;
};

export type { SignatureDomain };
