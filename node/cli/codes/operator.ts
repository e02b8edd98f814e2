/** Explain the codes that keep an operator's node from starting. */
import { entries } from './entry.ts';

export const operatorCodes = [
  ...entries(2, [
    [
      'CONFIG_UNREADABLE',
      'The file of settings cannot be read.',
      'It is not there, too long, or not UTF-8 text.',
      'Name another with --config, or write it anew: `anwansi node init` shows what it may hold.',
    ],
    [
      'CONFIG_SYNTAX',
      'The file of settings is not TOML.',
      'A quote, bracket or equals sign is missing or too many where the message says.',
      'Mend that line; texts stand in quotes, lists in square brackets.',
    ],
    [
      'CONFIG_UNKNOWN_KEY',
      'The file holds a setting that does not exist.',
      'It is misspelt, or stands under another heading, or belongs to another version.',
      'Correct or remove it: a setting that is passed over in silence would surprise you later.',
    ],
    [
      'CONFIG_VALUE',
      'A setting has a value that it cannot have.',
      'It is out of range, of another kind, or unsafe. The message says where it comes from.',
      'Change it there; flags come before ANWANSI_* variables, and those before the file.',
    ],
    [
      'DIRECTORY_UNUSABLE',
      'A file or folder of the node cannot be read or written.',
      'It belongs to another user, is read-only, or its disk is full; the message says which.',
      'Give it to the user who runs the node, or choose another directory with --data-dir.',
    ],
    [
      'VALIDATOR_FILE_MALFORMED',
      'A file is not the public part of a validator.',
      'It is another file, was changed on the way, or comes from another version.',
      'Ask its operator for the validator.json that `anwansi node init` wrote.',
    ],
    [
      'VALIDATOR_POSSESSION',
      'A validator does not prove that its keys belong together.',
      'Somebody put a key there that is not his, or the file was changed on the way.',
      'Ask its operator for the validator.json once more, by another way.',
    ],
    [
      'VALIDATOR_DUPLICATE',
      'Two seats would have the same key.',
      'One file was named twice, or one key was copied to two machines.',
      'Name each validator once; each machine makes its own keys with `anwansi node init`.',
    ],
    [
      'GENESIS_MALFORMED',
      'The file is not the genesis of a network.',
      'It is another file, or was changed on the way: its every byte counts.',
      'Fetch it again from whoever made the network, and compare the network id.',
    ],
    [
      'GENESIS_VERSION',
      'The network speaks another version of the protocol.',
      'This software is older or newer than the network.',
      'Use the version of anwansi that the network runs.',
    ],
    [
      'GENESIS_OTHER_NETWORK',
      'The data directory belongs to another network.',
      'It was bound to the genesis with which it was first started, so that votes never mix.',
      'Give each network a directory of its own with --data-dir, or start without --genesis.',
    ],
    [
      'GENESIS_SEATS',
      'A network of that many seats cannot be.',
      'Consensus bears one fault among four seats, and fewer bear none.',
      'Name at least four validators.',
    ],
    [
      'GENESIS_ACCOUNT',
      'An account of the genesis cannot be read.',
      'Its key or its tokens are malformed, it is there twice, or there are too many tokens.',
      'Write --account KEY=TOKENS with a public key in hexadecimal and a whole number.',
    ],
    [
      'GENESIS_PARAMETERS',
      'The parameters contradict each other.',
      'With them the network would stand still.',
      'Change the two that the message names.',
    ],
  ]),
  ...entries(3, [
    [
      'GENESIS_NOT_FOUND',
      'There is no genesis to start from.',
      'The named file is not there, or the data directory has not been started with one yet.',
      'Start once with --genesis FILE; the file comes from whoever made the network.',
    ],
  ]),
  ...entries(7, [
    [
      'KEY_MISSING',
      'The node has no key.',
      'It was never made, or the data directory is another one than you think.',
      'Run `anwansi node init`, with the same --data-dir.',
    ],
    [
      'KEY_MALFORMED',
      'A key file holds no key.',
      'It was cut short or changed. What stands in it is not shown: it may be most of a secret.',
      'Put your copy of it back. If the key was never used, remove the file and run `node init`.',
    ],
    [
      'KEY_MODE',
      'Other users of this machine could read or change a key.',
      'The file or its folder lets more than its owner in.',
      'Run the chmod line of the message; if somebody may have read it, make a new key.',
    ],
    [
      'KEY_LOCKED',
      'Another process of this machine runs with this key.',
      'Two processes with one key could sign two different votes, which is punished.',
      'Stop the process that the message names. The lock ends with it; there is nothing to remove.',
    ],
    [
      'KEY_NOT_SEATED',
      'The key holds no seat in this network.',
      'Its validator.json was not among those that the genesis was made of.',
      'Start without --validator to follow as an observer, or use the key that has the seat.',
    ],
    [
      'DIRECTORY_UNSAFE',
      'The folder for locks is not safe.',
      'Another user owns it or may enter it, and could take or remove a lock.',
      'Set XDG_RUNTIME_DIR to a folder that is yours alone.',
    ],
  ]),
  ...entries(7, [
    [
      'DEV_SEAT_ENDED',
      'A validator’s process of the development network ended before it was ready.',
      'The message has its own words; most often the same network runs already.',
      'Stop the other one, or name another folder with --data-dir.',
    ],
  ]),
  ...entries(2, [
    [
      'DEV_OTHER_NETWORK',
      'The folder holds another network than the development network that is wanted.',
      'A network keeps its seats for ever; the number of validators was another when it began.',
      'Name the same number with --nodes, or another folder with --data-dir.',
    ],
  ]),
  ...entries(1, [
    [
      'NODE_STOP_TIMEOUT',
      'A part of the node did not end in time.',
      'A disk or a child process hangs. Votes are on disk before they are sent: none is lost.',
      'Start again; if it repeats, check the disk, and report it with the log.',
    ],
  ]),
];
