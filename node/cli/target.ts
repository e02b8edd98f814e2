/** Write the files that a person asked for, and find out early that it cannot be done. */
import { constants } from 'node:fs';
import { access, lstat, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CliError, exitCodes } from './error.ts';

/** Refuses a file that could not be written, before the work that it is to hold. @throws CliError */
export async function checkTarget(file: string): Promise<void> {
  const found = await stat(file).catch(() => null);
  if (found?.isDirectory() === true) throw unwritable(file, 'it is a directory');
  await access(found === null ? dirname(file) : file, constants.W_OK).catch((cause: Error) => {
    throw unwritable(file, cause.message, cause);
  });
}

/** Writes a whole file. @throws CliError */
export async function writeTarget(file: string, bytes: Uint8Array): Promise<void> {
  await writeFile(file, bytes).catch((cause: Error) => {
    throw unwritable(file, cause.message, cause);
  });
}

/** Refuses a file that is there already, whatever it is. @throws CliError OUTPUT_EXISTS */
export async function checkAbsent(file: string): Promise<void> {
  // Also a link that leads nowhere is something that somebody put there.
  if ((await lstat(file).catch(() => null)) !== null) throw existing(file);
}

/** Writes a whole file where there is none, also none since it was looked. @throws CliError */
export async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  await writeFile(file, bytes, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'EEXIST' ? existing(file) : unwritable(file, cause.message, cause);
  });
}

function existing(file: string): CliError {
  return new CliError({
    code: 'OUTPUT_EXISTS',
    message: `${file} is there already, and is left as it is`,
    hint: 'Name another file, or replace it with --force if nobody needs it any more.',
    exitCode: exitCodes.usage,
  });
}

/** The error of a file that cannot be written, and why. */
export function unwritable(file: string, reason: string, cause?: Error): CliError {
  return new CliError(
    {
      code: 'OUTPUT_UNWRITABLE',
      message: `${file} cannot be written: ${reason}`,
      hint: 'Name a file in a directory that exists and that you may write to.',
      exitCode: exitCodes.usage,
    },
    { cause },
  );
}
