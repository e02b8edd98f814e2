// Hash 64 KiB again and again, each time with the last digest written into its front.
import { next, restart } from './kernel';

const constants: StaticArray<u32> = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

const size = 65536;
const message = new Uint8Array(size);
const schedule = new Uint32Array(64);
const chain = new Uint32Array(8);

function compress(from: i32): void {
  for (let at = 0; at < 16; at++) {
    const place = from + 4 * at;
    schedule[at] =
      ((message[place] as u32) << 24) |
      ((message[place + 1] as u32) << 16) |
      ((message[place + 2] as u32) << 8) |
      (message[place + 3] as u32);
  }
  for (let at = 16; at < 64; at++) {
    const early = schedule[at - 15];
    const late = schedule[at - 2];
    const low = rotr(early, 7) ^ rotr(early, 18) ^ (early >> 3);
    const high = rotr(late, 17) ^ rotr(late, 19) ^ (late >> 10);
    schedule[at] = schedule[at - 16] + low + schedule[at - 7] + high;
  }
  let a = chain[0], b = chain[1], c = chain[2], d = chain[3];
  let e = chain[4], f = chain[5], g = chain[6], h = chain[7];
  for (let at = 0; at < 64; at++) {
    const one =
      h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + constants[at] + schedule[at];
    const two = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + one;
    d = c;
    c = b;
    b = a;
    a = one + two;
  }
  chain[0] += a;
  chain[1] += b;
  chain[2] += c;
  chain[3] += d;
  chain[4] += e;
  chain[5] += f;
  chain[6] += g;
  chain[7] += h;
}

export function run(times: u32): u64 {
  restart();
  for (let at = 0; at < size; at++) message[at] = (next() >> 24) as u8;
  for (let time: u32 = 0; time < times; time++) {
    chain[0] = 0x6a09e667;
    chain[1] = 0xbb67ae85;
    chain[2] = 0x3c6ef372;
    chain[3] = 0xa54ff53a;
    chain[4] = 0x510e527f;
    chain[5] = 0x9b05688c;
    chain[6] = 0x1f83d9ab;
    chain[7] = 0x5be0cd19;
    for (let at = 0; at < size; at += 64) compress(at);
    for (let at = 0; at < 8; at++) message[at] = chain[at] as u8;
  }
  return ((chain[0] as u64) << 32) | chain[1];
}
