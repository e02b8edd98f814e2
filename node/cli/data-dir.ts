/** Say which data directory a command works on. */
import type { Context } from './command.ts';

export const dataDirOption = {
  kind: 'path',
  placeholder: 'DIR',
  describe:
    'Folder for everything that the node keeps (or ANWANSI_DATA_DIR); ' +
    'without it, the usual folders of this system.',
} as const;

/** The directory that a flag or the environment names, or null for the usual folders. */
export function dataDirectory(
  { environment, resolvePath }: Pick<Context, 'environment' | 'resolvePath'>,
  flag: string | undefined,
): string | null {
  if (flag !== undefined) return flag;
  const named = environment.ANWANSI_DATA_DIR ?? '';
  return named === '' ? null : resolvePath(named);
}
