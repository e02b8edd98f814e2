/** Say what the disk would not do, and what the operator can do about it. */
import { ProtocolError } from '../../protocol/errors.ts';

export type StorageErrorDetail = Readonly<
  | { code: 'STORE_LOCKED'; directory: string; processId: number | null }
  | { code: 'STORE_OTHER_NETWORK'; directory: string; found: string; expected: string }
  | { code: 'STORE_OTHER_SCHEMA'; directory: string; found: number; expected: number }
  | { code: 'STORE_CORRUPT'; directory: string }
  | { code: 'STORE_NO_SPACE'; directory: string }
  | { code: 'STORE_FAILED'; directory: string; action: 'open' | 'read' | 'write' | 'close' }
  | { code: 'STORE_OTHER_SEAT'; directory: string; found: number; expected: number | null }
  | { code: 'STORE_CLOSED' }
  | { code: 'BLOB_CORRUPT'; cid: string; path: string }
  | { code: 'BLOB_MISMATCH'; cid: string }
  | {
      code: 'BLOB_QUOTA';
      bytes: number;
      /** Bytes that jobs, and what runs here, keep in use. */
      pinnedBytes: number;
      /** Bytes of the last hour's uploads that no job names. */
      uploadedBytes: number;
      quotaBytes: number;
    }
  | { code: 'BLOB_NO_SPACE'; directory: string; bytes: number }
  | { code: 'BLOB_FAILED'; path: string; action: 'open' | 'read' | 'write' }
>;

/** The store or the blobs could not do what was asked; `cause` is what the system said. */
export class StorageError extends ProtocolError<StorageErrorDetail> {
  constructor(detail: StorageErrorDetail, options?: ErrorOptions) {
    super(detail, describe(detail), options);
  }
}

function describe(detail: StorageErrorDetail): string {
  switch (detail.code) {
    case 'STORE_LOCKED': {
      const holder = detail.processId === null ? 'another process' : `process ${detail.processId}`;
      return `${holder} has ${detail.directory} open; stop it, or use another data directory`;
    }
    case 'STORE_OTHER_NETWORK':
      return (
        `${detail.directory} belongs to network ${detail.found}, not to ${detail.expected}; ` +
        'use a data directory of its own for each network'
      );
    case 'STORE_OTHER_SCHEMA':
      return (
        `${detail.directory} has schema ${detail.found} where this version reads ` +
        `${detail.expected}; use the version that wrote it, or a new data directory`
      );
    case 'STORE_CORRUPT':
      return (
        `${detail.directory} is damaged; check the disk, then move the directory away and let the ` +
        'node fetch everything again. A validator must not sign before it has caught up'
      );
    case 'STORE_NO_SPACE':
      return `no space left for ${detail.directory}; free some and start again`;
    case 'STORE_FAILED':
      return `could not ${detail.action} ${detail.directory}; check the disk and its permissions`;
    case 'STORE_OTHER_SEAT': {
      const who = detail.expected === null ? 'an observer' : `seat ${detail.expected}`;
      return (
        `${detail.directory} holds votes of seat ${detail.found} and is started as ${who}; ` +
        'use the data directory of this key, and never another one’s'
      );
    }
    case 'STORE_CLOSED':
      return 'the store is closed: a part of the node outlived its store';
    case 'BLOB_CORRUPT':
      return (
        `blob ${detail.cid} on disk was not what its name says and is removed; it will be ` +
        'fetched again when it is needed. If this repeats, check the disk'
      );
    case 'BLOB_MISMATCH':
      return `the bytes are not those of blob ${detail.cid}; nothing is stored`;
    case 'BLOB_QUOTA':
      return (
        `${detail.bytes} bytes more do not fit: of the quota of ${detail.quotaBytes} bytes ` +
        `${detail.pinnedBytes} are in use by open jobs, and of the rest uploads that no job names ` +
        `yet have ${detail.uploadedBytes}, at most half of it; submit the job, wait, or raise ` +
        'the quota'
      );
    case 'BLOB_NO_SPACE':
      return `no space left for ${detail.bytes} bytes in ${detail.directory}; free some`;
    case 'BLOB_FAILED':
      return `could not ${detail.action} ${detail.path}; check the disk and its permissions`;
  }
}

/** The system's short name of an error (`ENOSPC`, `LEVEL_LOCKED`), its cause's, or ''. */
export function systemCode(error: unknown): string {
  let code = '';
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if ('code' in at && typeof at.code === 'string') code = at.code;
  return code;
}

/** Whether the system said that the disk, or the user's share of it, is full. */
export function isFull(error: unknown): boolean {
  if (['ENOSPC', 'EDQUOT'].includes(systemCode(error))) return true;
  // LevelDB passes on only the system's sentence.
  return error instanceof Error && /No space left|quota exceeded/i.test(error.message);
}
