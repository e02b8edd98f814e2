// Multiply two matrices of 96 by 96 integers, the product becoming the next factor.
import { next, restart } from './kernel';

const order = 96;
const left = new Uint32Array(order * order);
const right = new Uint32Array(order * order);
const product = new Uint32Array(order * order);

export function run(times: u32): u64 {
  restart();
  for (let at = 0; at < order * order; at++) left[at] = next();
  for (let at = 0; at < order * order; at++) right[at] = next();
  for (let time: u32 = 0; time < times; time++) {
    for (let row = 0; row < order; row++)
      for (let column = 0; column < order; column++) {
        let sum: u32 = 0;
        for (let at = 0; at < order; at++) sum += left[row * order + at] * right[at * order + column];
        product[row * order + column] = sum;
      }
    for (let at = 0; at < order * order; at++) left[at] = product[at] | 1;
  }
  let sum: u64 = 0;
  for (let at = 0; at < order * order; at++) sum += left[at];
  return sum;
}
