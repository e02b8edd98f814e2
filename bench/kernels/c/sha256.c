// Hash 64 KiB again and again, each time with the last digest written into its front.
#include "kernel.h"

static const u32 constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

enum { size = 65536 };
static u8 message[size];
static u32 schedule[64];

static u32 turned(u32 word, int bits) { return word >> bits | word << (32 - bits); }

static void compress(u32 *state, const u8 *block) {
  for (int at = 0; at < 16; at++)
    schedule[at] = (u32)block[4 * at] << 24 | (u32)block[4 * at + 1] << 16 |
                   (u32)block[4 * at + 2] << 8 | block[4 * at + 3];
  for (int at = 16; at < 64; at++) {
    u32 early = schedule[at - 15], late = schedule[at - 2];
    schedule[at] = schedule[at - 16] + (turned(early, 7) ^ turned(early, 18) ^ early >> 3) +
                   schedule[at - 7] + (turned(late, 17) ^ turned(late, 19) ^ late >> 10);
  }
  u32 a = state[0], b = state[1], c = state[2], d = state[3];
  u32 e = state[4], f = state[5], g = state[6], h = state[7];
  for (int at = 0; at < 64; at++) {
    u32 one = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) +
              constants[at] + schedule[at];
    u32 two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g; g = f; f = e; e = d + one; d = c; c = b; b = a; a = one + two;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

EXPORT u64 run(u32 times) {
  u32 seed = 1;
  u32 state[8] = {0};
  for (int at = 0; at < size; at++) message[at] = next(&seed) >> 24;
  for (u32 time = 0; time < times; time++) {
    state[0] = 0x6a09e667; state[1] = 0xbb67ae85; state[2] = 0x3c6ef372; state[3] = 0xa54ff53a;
    state[4] = 0x510e527f; state[5] = 0x9b05688c; state[6] = 0x1f83d9ab; state[7] = 0x5be0cd19;
    for (int at = 0; at < size; at += 64) compress(state, message + at);
    for (int at = 0; at < 8; at++) message[at] = state[at];
  }
  return (u64)state[0] << 32 | state[1];
}
