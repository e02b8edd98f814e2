// Goal: doctor looks at the doors that the node has, not at those that nodes usually have.
// Method: a scripted node that names its addresses, real listeners, settings of a node that is down.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeDoctor } from '../../node/cli/commands/node-doctor.ts';
import type { Finding } from '../../node/client/http.ts';
import { status } from '../support/client-answers.ts';
import { runWords, type World } from '../support/command-line.ts';
import { type ScriptedServer, says, scriptedServer } from '../support/scripted-server.ts';

const scratch = mkdtempSync(join(tmpdir(), 'anwansi-doctor-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let node: ScriptedServer;
let open: Server[] = [];
beforeEach(async () => {
  node = await scriptedServer();
});
afterEach(async () => {
  await node.stop();
  for (const server of open) await new Promise((resolve) => server.close(resolve));
  open = [];
});

/** A port that takes connections, or that took them and is free again. */
async function port(taken: boolean): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: found } = server.address() as AddressInfo;
  if (taken) open.push(server);
  else await new Promise((resolve) => server.close(resolve));
  return found;
}

/** What doctor says of ports and settings. */
async function doors(words: string[], api = node.url, environment: World['environment'] = {}) {
  const all = ['node', 'doctor', '--api', api, ...words, '--json'];
  const world = { directory: scratch, environment };
  const { document } = await runWords([nodeDoctor], all, world);
  const findings: Finding[] = document.data.findings;
  return findings
    .filter(({ name }) => name === 'ports' || name === 'settings')
    .map(({ name, state, cause }) => `${name} ${state}: ${cause}`);
}

const listensOn = (...addresses: string[]): void =>
  node.on('GET /v1/status', says({ ...status, addresses }));

describe('of a node that answers', () => {
  test('the ports that it says it has', async () => {
    const [one, other] = [await port(true), await port(false)];
    listensOn(`/ip4/127.0.0.1/tcp/${one}/p2p/12D3`);
    expect(await doors([])).toEqual([`ports ok: port ${one} takes connections`]);
    listensOn(`/ip4/127.0.0.1/tcp/${other}`);
    expect(await doors([])).toEqual([`ports warning: nothing takes connections on port ${other}`]);
    listensOn(`/ip4/127.0.0.1/tcp/${one}`, `/ip4/127.0.0.1/tcp/${other}`);
    expect((await doors([])).map((line) => line.split(':')[0])).toEqual([
      'ports ok',
      'ports warning',
    ]);
  });

  test('each port once, by the loopback where it is open there', async () => {
    const one = await port(true);
    // 192.0.2.1 is nobody's: it would not answer.
    listensOn(`/ip4/192.0.2.1/tcp/${one}/p2p/12D3`, `/ip4/127.0.0.1/tcp/${one}/p2p/12D3`);
    expect(await doors([])).toEqual([`ports ok: port ${one} takes connections`]);
    listensOn(`/ip4/0.0.0.0/tcp/${one}`);
    expect(await doors([])).toEqual([`ports ok: port ${one} takes connections`]);
  });

  test('none at all, and what is no address', async () => {
    for (const addresses of [[], ['/dns4/x/tcp/1', '/ip4/1.2.3.4/tcp/0', 'x'.repeat(9_999)]]) {
      listensOn(...addresses);
      expect(await doors([])).toEqual(['ports warning: the node listens for peers nowhere']);
    }
  });

  test('the port that the person names', async () => {
    const [one, other] = [await port(true), await port(false)];
    listensOn(`/ip4/127.0.0.1/tcp/${one}`);
    expect(await doors(['--p2p-port', `${other}`])).toEqual([
      `ports warning: nothing takes connections on port ${other}`,
    ]);
  });
});

describe('of a node that is down', () => {
  const nobody = 'http://127.0.0.1:9';
  const settings = (name: string, text: string): string[] => {
    const directory = join(scratch, name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'config.toml'), text);
    return ['--data-dir', directory];
  };

  test('the ports of its config.toml, which should be free', async () => {
    const [one, other] = [await port(true), await port(false)];
    const words = settings(
      'two',
      `[network]\nlisten = ["127.0.0.1:${one}", "/ip4/0.0.0.0/tcp/${other}"]\n`,
    );
    expect(await doors(words, nobody)).toEqual([
      `ports warning: something listens on port ${one}, and no node answers`,
      `ports ok: port ${other} is free`,
    ]);
  });

  test('the usual port where nothing is set, that of the environment, or of the person', async () => {
    const words = settings('plain', '');
    expect((await doors(words, nobody)).join()).toContain('port 26920');
    const one = await port(true);
    const set = { ANWANSI_NETWORK_LISTEN: `127.0.0.1:${one}` };
    expect((await doors(words, nobody, set)).join()).toContain(`something listens on port ${one}`);
    expect((await doors([...words, '--p2p-port', `${one}`], nobody)).join()).toContain(
      `something listens on port ${one}`,
    );
  });

  test('settings that keep it from starting', async () => {
    expect((await doors(settings('bad', 'listen = 1\n'), nobody)).join()).toMatch(
      /^settings failed: .*config\.toml: there is no setting/,
    );
  });
});
