/** Explain the codes of the store and of blobs. */
import { entries } from './entry.ts';

export const diskCodes = [
  ...entries(2, [
    [
      'STORE_OTHER_NETWORK',
      'The data directory belongs to another network.',
      'A database is bound to one network for ever, so that votes never mix.',
      'Give each network a data directory of its own.',
    ],
    [
      'STORE_OTHER_SCHEMA',
      'The data directory was written by another version of anwansi.',
      'What lies in the database is not guessed at.',
      'Use the version that wrote it, or a new data directory.',
    ],
  ]),
  ...entries(7, [
    [
      'STORE_OTHER_SEAT',
      'The data directory holds the votes of another seat.',
      'A directory was copied, or its key was replaced: a seat that lacks its own votes could vote twice.',
      'Start each key on its own data directory; an observer on an empty one.',
    ],
    [
      'STORE_LOCKED',
      'Another process has the data directory open.',
      'One process at a time: two could sign two different votes with one key.',
      'Stop the process that the message names, or use another data directory.',
    ],
  ]),
  ...entries(1, [
    [
      'LOG_UNSOUND',
      'What the disk gave back is not what this seat can have kept.',
      'A vote, a statement or a proposal in it breaks a rule, or is not signed with its key.',
      'Nothing is signed on it: move the directory away and let the node fetch everything again.',
    ],
    [
      'STORE_CORRUPT',
      'The database is damaged, or is not one of ours.',
      'The disk lost or changed bytes, or the directory is somebody else’s.',
      'Check the disk; move the directory away and let the node fetch everything again.',
    ],
    [
      'STORE_NO_SPACE',
      'No space is left for the database.',
      'The disk, or the share of it that this user may fill, is full.',
      'Free some space and start again; nothing half written stays behind.',
    ],
    [
      'STORE_FAILED',
      'The database could not be opened, read, written or closed.',
      'The disk or its permissions: the cause is in the message with -v.',
      'Check that the directory is writable for this user and that the disk is sound.',
    ],
    [
      'STORE_CLOSED',
      'The database was used after it had been closed.',
      'A part of the node outlived its store: a bug of ours.',
      'Run it again with -v and report the stack.',
    ],
    [
      'BLOB_CORRUPT',
      'A blob on disk is not what its name says; it has been removed.',
      'The disk or somebody changed the file after it had been written.',
      'It is fetched again when it is needed. If this repeats, check the disk.',
    ],
    [
      'BLOB_MISMATCH',
      'Bytes were offered under a content id that names others.',
      'A peer sent wrong bytes, or they were changed on the way. Nothing was stored.',
      'Fetch the blob from another peer.',
    ],
    [
      'BLOB_QUOTA',
      'The blob does not fit beside the blobs that open jobs need, or beside fresh uploads.',
      'The quota is in use by pinned blobs, or half of the rest by uploads that no job names yet.',
      'Submit the job that the uploads are for, raise the quota, or wait until a job has ended.',
    ],
    [
      'BLOB_NO_SPACE',
      'No space is left for a blob.',
      'The disk, or the share of it that this user may fill, is full.',
      'Free some space; nothing half written stays behind.',
    ],
    [
      'BLOB_FAILED',
      'A blob’s file could not be opened, read or written.',
      'The disk or its permissions: the cause is in the message with -v.',
      'Check that the directory is writable for this user and that the disk is sound.',
    ],
  ]),
  ...entries(2, [
    [
      'BLOB_TOO_LONG',
      'The blob is longer than a blob may be.',
      'One blob has at most 1 GiB.',
      'Cut it into several.',
    ],
  ]),
];
