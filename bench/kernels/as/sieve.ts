// Count the primes below 300,000 with a byte for each number.
const limit = 300000;
const composite = new Uint8Array(limit);

export function run(times: u32): u64 {
  let sum: u64 = 0;
  for (let time: u32 = 0; time < times; time++) {
    for (let at = 0; at < limit; at++) composite[at] = 0;
    for (let prime = 2; prime * prime < limit; prime++) {
      if (composite[prime] != 0) continue;
      for (let at = prime * prime; at < limit; at += prime) composite[at] = 1;
    }
    let found: u32 = 0;
    for (let at = 2; at < limit; at++) found += composite[at] == 0 ? 1 : 0;
    sum = sum * 7 + found;
  }
  return sum;
}
