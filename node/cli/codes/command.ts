/** Explain the codes of the command line itself. */
import { entries } from './entry.ts';

export const commandCodes = [
  ...entries(2, [
    [
      'USAGE',
      'The command line is not one that anwansi knows.',
      'A command, option or value is missing, misspelt or out of range.',
      'The message names it; `anwansi --help` and `anwansi COMMAND --help` list what there is.',
    ],
    [
      'OUTPUT_UNWRITABLE',
      'A file that was asked for cannot be written.',
      'Its directory does not exist, may not be written to, or is full, or it is one itself.',
      'Name a file with --out or --receipt in a directory that you may write to.',
    ],
    [
      'OUTPUT_EXISTS',
      'A file that a command is to make is there already.',
      'An earlier run made it; a genesis that is replaced takes its network along.',
      'Name another file with --out and --trust, or replace it with --force.',
    ],
  ]),
  ...entries(3, [
    [
      'CODE_UNKNOWN',
      'There is no such code.',
      'It is misspelt, or belongs to another version.',
      '`anwansi explain` without a code lists them all.',
    ],
  ]),
  ...entries(4, [
    [
      'DEMO_MISMATCH',
      'The demonstration came to another number than the one that is known.',
      'A bug of ours: its network agreed on a wrong result, or counted something else.',
      'Run it again with -v, and report it with everything that it printed.',
    ],
  ]),
  ...entries(1, [
    [
      'UNEXPECTED',
      'Something happened that nobody foresaw.',
      'A bug of ours.',
      'Run it again with -v for the stack, and report both.',
    ],
  ]),
  ...entries(130, [
    [
      'INTERRUPTED',
      'The command was stopped from outside.',
      'Ctrl+C, or a signal.',
      'Nothing to mend: temporary data is removed. Run it again when you like.',
    ],
  ]),
];
