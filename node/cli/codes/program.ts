/** Explain the codes of programs, their inputs and the sandbox. */
import { entries } from './entry.ts';

export const programCodes = [
  ...entries(8, [
    [
      'PROGRAM_TOO_LARGE',
      'The program has more bytes than one may have.',
      'A program has at most 4 MiB.',
      'Strip it of debug information, or make it smaller.',
    ],
    [
      'PROGRAM_NOT_WASM',
      'The file is not WebAssembly.',
      'It does not begin like a WebAssembly binary.',
      'Name the built .wasm file; text form has to be assembled first.',
    ],
    [
      'PROGRAM_MALFORMED',
      'The program is not a valid WebAssembly module.',
      'It was cut off or changed, or its compiler is at fault.',
      'Build it again.',
    ],
    [
      'PROGRAM_UNSUPPORTED',
      'The program uses a part of WebAssembly that is not admitted.',
      'What could differ between machines, or escape the sandbox, is refused.',
      'Build it without the feature that the message names.',
    ],
    [
      'PROGRAM_LIMIT',
      'The program passes a limit of its structure.',
      'Functions, types and the like are bounded.',
      'The message names the limit; make the program simpler.',
    ],
    [
      'PROGRAM_IMPORTS',
      'The program imports something.',
      'A program gets its input by the ABI and nothing else: no clock, no chance, no files.',
      'The message names the first import, and what to do about it; `anwansi program build` makes none.',
    ],
    [
      'PROGRAM_MEMORY',
      'The program’s memory is not as the ABI wants it.',
      'It has to be one, exported, and bounded to 256 MiB.',
      'Declare a maximum when linking.',
    ],
    [
      'PROGRAM_ABI',
      'The program names another ABI than version 1, or none.',
      'The export that names the version is missing or says another one.',
      'Build it for ABI version 1.',
    ],
    [
      'PROGRAM_MISSING_EXPORT',
      'The program lacks a function of the ABI.',
      'The message names it.',
      'Export it; programs/ shows how.',
    ],
    [
      'PROGRAM_EXPORT_TYPE',
      'A function of the ABI has another type than it should.',
      'The message names both.',
      'Correct its parameters and results.',
    ],
    [
      'PROGRAM_UNKNOWN_EXPORT',
      'The program exports a reserved name that the ABI does not know.',
      'Names that begin like the ABI’s are kept for later versions.',
      'Rename it, or remove the export.',
    ],
    [
      'PROGRAM_MANIFEST',
      'The program’s manifest cannot be read.',
      'It lacks a field, or has one that is not known.',
      'Correct the manifest and build the program again.',
    ],
    [
      'PROGRAM_REJECTED',
      'The program cannot be run.',
      'Admission refused it for the reason in the message.',
      'Correct the program; `anwansi explain` knows the inner code.',
    ],
    [
      'PROGRAM_TOO_SLOW',
      'The job was voided: an item takes too long on the seats’ machines.',
      'More seats than could all lie gave up on an item that did not return in time.',
      'Make the items smaller, or mend an endless loop, and submit it again.',
    ],
    [
      'PROGRAM_INADMISSIBLE',
      'The job was voided: its seats refuse the program.',
      'The program breaks a rule of admission.',
      'Correct the program; submitting it with this client shows the rule first.',
    ],
    [
      'PROGRAM_LAWLESS',
      'The job was voided: its seats refuse a program whose combine is no law.',
      'Their own checks found values for which order, bracket or the empty value matters.',
      'Run `anwansi program check` on it: it shows such values, and the seed that finds them.',
    ],
    [
      'PROGRAM_UNRUNNABLE',
      'The job was voided: its seats could not run the program.',
      'It wants more memory than their machines give, or crashes their sandbox.',
      'Use less memory for an item.',
    ],
    [
      'INPUT_UNAVAILABLE',
      'The job was voided: its seats could not get the input.',
      'The submitter’s node was gone before they had fetched it.',
      'Keep the node running until the job has ended, and submit it again.',
    ],
    [
      'COUNT_FAILED',
      'The program failed when it was to make items of its parameters.',
      'It refused them, trapped, or ran too long or took too much memory for it.',
      'Give it parameters that it takes (--params JSON), and if they are right, correct its anw_count.',
    ],
  ]),
  ...entries(3, [
    [
      'PROGRAM_NOT_FOUND',
      'There is no such program.',
      'It is neither a name under programs/, nor the folder of a program, nor a file.',
      'Check the name; paths are meant from the directory you are in.',
    ],
    [
      'INPUT_NOT_FOUND',
      'There is no such input.',
      'The path names nothing.',
      'Check the path; it is meant from the directory you are in.',
    ],
  ]),
  ...entries(2, [
    [
      'PROGRAM_AMBIGUOUS',
      'The name is that of two programs.',
      'One comes along under it, and here is the folder of another.',
      'Write a path for the folder, as ./NAME, or go to another directory for the other one.',
    ],
    [
      'PROGRAM_IS_SOURCE',
      'A file or a folder of a program’s sources stands where a program should.',
      'A program is a module, or the whole folder that has a program.json.',
      'Name that folder, once it is built: `anwansi program build FOLDER`.',
    ],
    [
      'PARAMETERS_NOT_JSON',
      'The parameters are not JSON.',
      'A quote or brace is missing, or the shell took some away.',
      'Write names in double quotes, and the whole of --params in single ones, so that the shell leaves both: \'{"top":3}\'.',
    ],
    [
      'PARAMETERS_REFUSED',
      'The program refused its parameters.',
      'They are JSON, and not what it expects: a name, a type or a range.',
      'Check --params: of programs that come along, docs/programs.md says what they expect; of another, its author.',
    ],
    [
      'PARAMETERS_TOO_LONG',
      'The parameters are longer than a job may carry.',
      'A job travels by gossip and is small.',
      'Give what is large as the input.',
    ],
    [
      'INPUT_MISSING',
      'The program works on an input, and none was given.',
      'Its items are cut from a file.',
      'Give one with --input FILE.',
    ],
    [
      'INPUT_NEEDLESS',
      'An input was given to a program that takes none.',
      'It makes its items from its parameters.',
      'Leave --input away.',
    ],
    [
      'INPUT_IS_DIRECTORY',
      'The input is a directory.',
      'One file is the input.',
      'Name a file, or join several into one.',
    ],
    [
      'INPUT_EMPTY',
      'The input has no bytes.',
      'There is nothing to compute.',
      'Give a file with something in it.',
    ],
    [
      'INPUT_UNSPLITTABLE',
      'The input cannot be cut into items.',
      'There is no place to cut within the size of an item.',
      'Break up the long stretch, or use a program that cuts by size.',
    ],
    [
      'INPUT_TOO_MANY_ITEMS',
      'The input makes more items than a job may have.',
      'A job has at most 1,048,576 items.',
      'Send it as several jobs, or use a program with larger items.',
    ],
    [
      'COUNT_OUT_OF_RANGE',
      'The program makes no items, or more than a job may have.',
      'A job has 1 to 1,048,576 items.',
      'Choose parameters that make fewer, larger items.',
    ],
    [
      'ITEM_OUT_OF_RANGE',
      'The job has no item of that number.',
      'Items are counted from 0, and another input or other parameters make another number of them.',
      'Give the input and the parameters of the job, and a number that the message names.',
    ],
  ]),
  ...entries(1, [
    [
      'EXECUTOR_START',
      'The sandbox could not be started.',
      'The system does not let this user start a child process, or memory is short.',
      'Check limits on processes and memory; the cause is in the message with -v.',
    ],
    [
      'EXECUTOR_ENGINE',
      'This machine runs programs otherwise than the network, or too slowly.',
      'The engine of this Node fails a vector of the specification, named in the message.',
      'Use the Node version that the package brings; if it is time that lacks, a faster machine.',
    ],
  ]),
  ...entries(4, [
    [
      'LAW_COMMUTATIVE',
      'The program is refuted: combine(a, b) and combine(b, a) differ.',
      'It keeps the first, appends, or subtracts: what it gives depends on the order.',
      'Let both sides count alike: add, take the larger, merge what is sorted.',
    ],
    [
      'LAW_ASSOCIATIVE',
      'The program is refuted: how its values are bracketed changes the result.',
      'It adds floats, averages averages, saturates, or cuts to a size while it combines.',
      'Add integers or fixed point, carry sum and count, widen, and cut only in anw_render.',
    ],
    [
      'LAW_IDENTITY',
      'Combining with the empty value changed a value.',
      'The host sees to this law: the node is at fault.',
      'Report it, with the line that repeats the check.',
    ],
    [
      'LAW_CANONICAL',
      'The program is refuted: the same values come to different bytes in another order.',
      'A value can be written in several ways.',
      'Write it in one way only: keys sorted, no duplicates, no bytes that nobody set.',
    ],
    [
      'LAW_ORDER',
      'The program is refuted: its items come to different bytes in another order.',
      'What combine gives depends on when or where a value came.',
      'Let it depend on what the values are; carry a position where order matters.',
    ],
    [
      'LAW_REPLAY',
      'The program is refuted: the same item gave different bytes.',
      'It reads memory that nobody wrote, or shows the payload of a NaN.',
      'Read only what was given, and keep floats out of values.',
    ],
  ]),
  ...entries(5, [
    [
      'LAWS_UNTESTED',
      'It cannot be told whether the laws hold: they could not be tested.',
      'No item gave a value that could be combined, or this machine could not run the program.',
      'Give an input of the kind it works on, and its parameters; export anw_sample.',
    ],
  ]),
  ...entries(8, [
    [
      'PROGRAM_BUILD_FAILED',
      'The program could not be built.',
      'Its compiler refused the source for the reasons in the message.',
      'Correct the source.',
    ],
  ]),
  ...entries(3, [
    [
      'PROGRAM_NO_TESTS',
      'The program has no tests.',
      'Its folder tests/ has neither a file NAME.expected nor a file NAME.input.',
      'Write NAME.expected, and NAME.input or NAME.json with what goes in.',
    ],
    [
      'PROGRAM_NOT_BUILT',
      'The program was not built yet.',
      'Its folder has a source, but no .wasm file.',
      'Run `anwansi program build` first.',
    ],
    [
      'PROGRAM_STALE',
      'The .wasm file of the folder is not built from the sources that are there.',
      'A source or program.json was changed since, or the last build failed.',
      'Run `anwansi program build` again; to use the old one, name the .wasm file itself.',
    ],
  ]),
  ...entries(2, [
    [
      'PROGRAM_PROJECT',
      'The folder is not that of a program.',
      'Its program.json is missing or wrong.',
      'Begin one with `anwansi program new`; the message says what is wrong.',
    ],
    [
      'PROGRAM_NAME',
      'A program cannot have this name.',
      'Names travel in manifests and file names: small letters, digits and -, at most 64.',
      'Choose another last part of the path, such as the one in the message.',
    ],
    [
      'PROGRAM_EXISTS',
      'There is something under that name already.',
      'A new program needs a new folder.',
      'Pick another name, or remove what is there.',
    ],
    [
      'PROGRAM_TOOL_MISSING',
      'A compiler is missing on this machine.',
      'AssemblyScript comes by npm; C needs clang, of CC, PATH or /usr/bin, and lld.',
      'Install what the message names; to run programs, neither is needed.',
    ],
  ]),
];
