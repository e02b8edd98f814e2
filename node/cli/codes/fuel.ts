/** Explain why items fail, and what limits of fuel have to do with it. */
import { entries } from './entry.ts';

export const fuelCodes = [
  ...entries(2, [
    [
      'FUEL_OUT_OF_RANGE',
      'A limit of fuel cannot be had.',
      'It is 0, or more than a job may set: 2^36 units, for a whole fold 2^40.',
      'Ask for less; where an item needs more, make items smaller.',
    ],
  ]),
  ...entries(8, [
    [
      'OUT_OF_FUEL',
      'An item used up its fuel.',
      'It takes longer than what was measured made expect, or it loops for ever.',
      'Measure it with `anwansi program bench`, and give items more with `--fuel`.',
    ],
    [
      'TOO_DEEP',
      'An item called functions inside each other more deeply than any program may.',
      'It recurses without end, or once for each element of something long.',
      'Recurse less deeply, or loop over a stack of your own: no option raises that limit.',
    ],
    [
      'TRAP',
      'An item ended in a trap.',
      'The program divided by zero, left its memory, or said that it cannot go on.',
      'Correct the program or the input; `anwansi program test` shows it without a network.',
    ],
    [
      'BAD_VALUE',
      'An item gave a value that is none.',
      'It lies outside of the program’s memory, or is longer than 16 MiB.',
      'Return pointer and length of bytes in memory; make values smaller.',
    ],
    [
      'ITEM_FAILED',
      'An item failed when it was tried on this machine: nothing was submitted, nothing is paid.',
      'The parameters are not what the program takes, the input is not of its kind, or it is wrong.',
      'Look at the item with `anwansi program bench PROGRAM --item N`; `anwansi run --unchecked` submits regardless.',
    ],
    [
      'COMBINE_FAILED',
      'No item failed, but combining their values did.',
      'A combine trapped, gave a value that is none, or used up its fuel or its depth.',
      'Look at anw_combine; `anwansi program check` finds values on which it fails.',
    ],
    [
      'RENDER_FAILED',
      'The value of a few items could not be rendered on this machine: nothing was submitted.',
      'The function anw_render trapped, gave a value that is none, or used up its fuel or its depth.',
      'Let anw_render show the value of any items; `anwansi run --unchecked` submits regardless.',
    ],
  ]),
];
