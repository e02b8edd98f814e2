// Goal: `run` computes elsewhere only where no node is there: one that is slow is waited for, one
// that stays silent ends the command; what is no node is told as such.
// Method: real listeners on loopback that refuse, are mute, hang up, answer late, or speak another
// protocol; short waits.
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { codeEntry } from '../../node/cli/codes.ts';
import type { Context } from '../../node/cli/command.ts';
import { defineCommand } from '../../node/cli/command.ts';
import { jobList } from '../../node/cli/commands/job-list.ts';
import { runOn } from '../../node/cli/commands/run.ts';
import { findNode } from '../../node/cli/find-node.ts';
import { status } from '../support/client-answers.ts';
import { runWords } from '../support/command-line.ts';
import { type ScriptedServer, says, scriptedServer } from '../support/scripted-server.ts';

const waits = { probeMs: 60, patientMs: 900 };
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A listener that does with each connection what a test says; its URL. */
async function listener(meet: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    meet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function scripted(): Promise<ScriptedServer> {
  const server = await scriptedServer();
  closing.push(server.stop);
  return server;
}

/** Looks for a node there as `run` does, and says what came of it. */
async function looked(url: string, patient = false) {
  const seek = defineCommand({
    name: 'seek',
    summary: 'Look for a node.',
    examples: [],
    run: async (context: Context) => {
      const none = { api: undefined, tokenFile: undefined };
      const client = await findNode(none, context, patient, { url, ...waits });
      context.output.result({ url: client?.url ?? null }, '');
      return 0;
    },
  });
  return runWords([seek], ['seek', '--json']);
}

describe('a node at the usual place', () => {
  test('that answers is taken; where nothing listens there is none, and nothing is said', async () => {
    const server = await scripted();
    server.on('GET /v1/status', says(status));
    const found = await looked(server.url);
    expect([found.document.data.url, found.err]).toEqual([server.url, '']);
    const url = await listener(() => {});
    for (const close of closing.splice(0)) await close();
    const none = await looked(url);
    expect([none.exitCode, none.document.data.url, none.err]).toEqual([0, null, '']);
  });

  test('that is only slow is waited for, and the person is told', async () => {
    const server = await scripted();
    server.on('GET /v1/status', (request, response) => {
      if (server.asked.length > 1) return says(status)(request, response);
    });
    const found = await looked(server.url);
    expect(found.document.data.url).toBe(server.url);
    expect(found.err).toContain(`something listens at ${server.url} and has not answered in 60 ms`);
    expect(found.err).toContain('--api embedded');
    const busy = await scripted();
    const refusal = { ...{ type: 'about:blank', title: 'Busy.', detail: '', remedy: 'Wait.' } };
    busy.on('GET /v1/status', (request, response) =>
      busy.asked.length > 1
        ? says(status)(request, response)
        : says({ ...refusal, status: 503, code: 'API_BUSY', retryable: true }, 503)(
            request,
            response,
          ),
    );
    expect((await looked(busy.url)).document.data.url).toBe(busy.url);
  });

  test.each([
    ['is mute', () => {}],
    ['hangs up', (socket: Socket) => socket.destroy()],
  ])('that %s to the end ends the command, and says how to force either', async (_, meet) => {
    const url = await listener(meet);
    for (const patient of [false, true]) {
      const { exitCode, document } = await looked(url, patient);
      expect(exitCode).toBe(6);
      const [error] = document.errors;
      expect(error).toMatchObject({ code: 'NODE_SILENT', retryable: true });
      expect(error.message).toContain(`something listens at ${url} and gave no answer in 0.9 s`);
      expect(error.hint).toContain(`--api ${url}`);
      expect(error.hint).toContain('--api embedded');
    }
    expect(codeEntry('NODE_SILENT')?.exitCode).toBe(6);
  });

  test('that is none is not asked, and is told as such', async () => {
    const other = await scripted();
    const strangers = [other.url, await listener((socket) => socket.end('SSH-2.0-other\r\n'))];
    for (const url of strangers) {
      const { exitCode, document, err } = await looked(url);
      expect([exitCode, document.data.url]).toEqual([0, null]);
      expect(err).toContain(`something answers at ${url}, but it is no node's API`);
      const asked = await runWords([jobList], ['job', 'list', '--api', url, '--json']);
      expect(asked.document.errors[0]).toMatchObject({
        ...{ code: 'CLIENT_NOT_ANWANSI' },
        message: expect.stringContaining("but it is no node's API"),
      });
    }
    const locked = await scripted();
    const wanted = { type: 'about:blank', title: 'No.', detail: 'a token is wanted', remedy: '' };
    const refused = { ...wanted, status: 401, code: 'API_TOKEN', retryable: false };
    locked.on('GET /v1/status', says(refused, 401));
    const { document, err } = await looked(locked.url);
    expect(document.data.url).toBeNull();
    expect(err).toContain('refuses: a token is wanted; it is not asked');
  });
});

test('`run` with an option of another command says which one it has', async () => {
  const command = runOn(async () => {
    throw new Error('a network is started');
  });
  for (const words of [['--seats', '9'], ['--seats=9'], ['--seats']]) {
    const { exitCode, err } = await runWords([command], ['run', 'primes', ...words]);
    expect(exitCode).toBe(2);
    expect(err).toContain('run has no option --seats');
    expect(err).toContain('--nodes N');
  }
  const { err } = await runWords([command], ['run', 'primes', '--seets', '9']);
  expect(err).toContain("unknown option '--seets'");
  const help = await runWords([command], ['run', '--help']);
  expect(help.out).not.toContain('--seats');
});
