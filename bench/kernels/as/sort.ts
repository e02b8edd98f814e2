// Sort 20,000 integers: quicksort by the middle one, short stretches by insertion.
import { next, restart } from './kernel';

const count = 20000;
const shortest = 16;
const list = new Uint32Array(count);

function insert(from: i32, to: i32): void {
  for (let at = from + 1; at <= to; at++) {
    const value = list[at];
    let place = at - 1;
    while (place >= from && list[place] > value) {
      list[place + 1] = list[place];
      place--;
    }
    list[place + 1] = value;
  }
}

function sort(from: i32, to: i32): void {
  while (to - from > shortest) {
    const middle = list[(from + to) >> 1];
    let low = from;
    let high = to;
    while (low <= high) {
      while (list[low] < middle) low++;
      while (list[high] > middle) high--;
      if (low <= high) {
        const value = list[low];
        list[low++] = list[high];
        list[high--] = value;
      }
    }
    if (high - from < to - low) {
      sort(from, high);
      from = low;
    } else {
      sort(low, to);
      to = high;
    }
  }
  insert(from, to);
}

export function run(times: u32): u64 {
  restart();
  let sum: u64 = 0;
  for (let time: u32 = 0; time < times; time++) {
    for (let at = 0; at < count; at++) list[at] = next();
    sort(0, count - 1);
    for (let at = 0; at < count; at += 97) sum = sum * 31 + list[at];
  }
  return sum;
}
