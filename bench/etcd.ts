/** Run Debian's etcd with as many members as a network has seats, as a peer for ordering. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from './measure.ts';

const program = '/usr/bin/etcd';
const readyMsMax = 30_000;

/** Whether this machine has it: `apt-get install etcd-server`. */
export const hasEtcd = existsSync(program);

export type Etcd = {
  /** Writes one small entry through a member; returns when a quorum has it on disk. */
  readonly put: (member: number, key: string, value: Uint8Array) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Starts a cluster on the loopback. */
export async function startEtcd(members: number): Promise<Etcd> {
  const root = await mkdtemp(join(tmpdir(), 'anwansi-etcd-'));
  const ports = await Promise.all(Array.from({ length: 2 * members }, freePort));
  const client = (member: number): string => `http://127.0.0.1:${ports[2 * member]}`;
  const peer = (member: number): string => `http://127.0.0.1:${ports[2 * member + 1]}`;
  const all = Array.from({ length: members }, (_, member) => member);
  const cluster = all.map((member) => `m${member}=${peer(member)}`).join(',');
  const children: ChildProcess[] = all.map((member) =>
    spawn(
      program,
      [
        ['--name', `m${member}`],
        ['--data-dir', join(root, `m${member}`)],
        ['--listen-client-urls', client(member), '--advertise-client-urls', client(member)],
        ['--listen-peer-urls', peer(member), '--initial-advertise-peer-urls', peer(member)],
        ['--initial-cluster', cluster, '--initial-cluster-state', 'new'],
        ['--log-level', 'fatal'],
      ].flat(),
      { stdio: 'ignore' },
    ),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(
      children.map((child) => {
        const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
        child.kill('SIGKILL');
        return gone;
      }),
    );
    await rm(root, { recursive: true, force: true });
  };
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const put: Etcd['put'] = async (member, key, value) => {
    const body = JSON.stringify({ key: text(Buffer.from(key)), value: text(value) });
    const answer = await fetch(`${client(member)}/v3/kv/put`, { method: 'POST', body });
    if (!answer.ok) throw new Error(`etcd answers ${answer.status}`);
    await answer.arrayBuffer();
  };
  const deadline = Date.now() + readyMsMax;
  for (;;) {
    try {
      await put(0, 'ready', new Uint8Array(1));
      return { put, stop };
    } catch (error) {
      if (Date.now() < deadline) await sleep(100);
      else {
        await stop();
        throw error;
      }
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
