/** Say where an operator's files lie. */
import { join } from 'node:path';

/** Everything that a node keeps. All paths are absolute if the directory is. */
export type OperatorPaths = {
  /** Directory of this node alone: `store` and `blobs` lie in it. */
  readonly data: string;
  readonly config: string;
  readonly keys: string;
  readonly seatKey: string;
  readonly peerKey: string;
  /** The public part of the keys, for whoever makes a genesis. */
  readonly validator: string;
  readonly genesis: string;
  /** What an auditor needs to believe this network. */
  readonly trust: string;
  /** Files for sandboxed children, one folder for each process. */
  readonly scratch: string;
  readonly pid: string;
  readonly apiToken: string;
};

/**
 * The files of a node: all under `directory`, or where this system keeps the settings, data and
 * state of programs (XDG on Linux).
 */
export async function operatorPaths(directory: string | null): Promise<OperatorPaths> {
  const { config, data, state } =
    directory === null
      ? await usualFolders()
      : { config: directory, data: directory, state: directory };
  const keys = join(data, 'keys');
  return {
    data,
    config: join(config, 'config.toml'),
    keys,
    seatKey: join(keys, 'seat.key'),
    peerKey: join(keys, 'peer.key'),
    validator: join(data, 'validator.json'),
    genesis: join(data, 'genesis.cbor'),
    trust: join(data, 'trust.json'),
    scratch: join(data, 'scratch'),
    pid: join(state, 'pid'),
    apiToken: join(state, 'api-token'),
  };
}

/** The folder of this user for what can be found out again. Rejects where a user has no home. */
export async function cacheFolder(): Promise<string> {
  const { default: envPaths } = await import('env-paths');
  return envPaths('anwansi', { suffix: '' }).cache;
}

async function usualFolders() {
  // Not before it is needed: it ends with an error where a user has no home, as in containers.
  const { default: envPaths } = await import('env-paths');
  const { config, data, log } = envPaths('anwansi', { suffix: '' });
  return { config, data, state: log };
}
