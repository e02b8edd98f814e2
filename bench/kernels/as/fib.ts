// Calls and nothing else: what counting calls costs at most.
function fib(index: u32): u64 {
  return index < 2 ? index : fib(index - 1) + fib(index - 2);
}

export function run(times: u32): u64 {
  let sum: u64 = 0;
  for (let time: u32 = 0; time < times; time++) sum = sum * 3 + fib(20 + ((sum & 3) as u32));
  return sum;
}
