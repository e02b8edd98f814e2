// What all kernels share: numbers that look like chance.
let state: u32 = 1;

export function restart(): void {
  state = 1;
}

export function next(): u32 {
  state = state * 1664525 + 1013904223;
  return state;
}
