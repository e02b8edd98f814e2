/** Sign cheaply: a keyed hash that only the simulator can compute. */

/** A 64-byte mark of `seat` on `message`. Not secure, and unforgeable within the simulation. */
export function fakeSignature(seat: number, message: Uint8Array): Uint8Array {
  let a = Math.imul(seat + 1, 0x9e3779b1);
  let b = 0x85ebca6b ^ seat;
  for (let i = 0; i < message.length; i++) {
    a = Math.imul(a ^ message[i]!, 0x01000193);
    b = Math.imul(b + message[i]!, 0xc2b2ae35) ^ (b >>> 13);
  }
  const signature = new Uint8Array(64);
  const words = new DataView(signature.buffer);
  words.setUint32(0, a >>> 0);
  words.setUint32(4, b >>> 0);
  signature[8] = seat & 255;
  return signature;
}

export function fakeVerify(seat: number, message: Uint8Array, signature: Uint8Array): boolean {
  const expected = fakeSignature(seat, message);
  return signature.length === 64 && expected.every((byte, i) => byte === signature[i]);
}
