/** Say what every network must do, whatever carries it. */
import { afterEach, describe, expect, test } from 'vitest';
import { requestBytesMax, responseBytesMax } from '../../node/network/limits.ts';
import type { Network, NetworkHandlers, StreamProtocol, Topic } from '../../node/ports.ts';
import { sameBytes, utf8 } from '../../protocol/brand.ts';
import { accept, ignore, reject, type Verdict } from '../../protocol/errors.ts';
import { gossipBytesMax } from '../../protocol/params.ts';

/** Makes networks that can reach one another once they are connected. */
export type NetworkWorld = {
  /** A network that is stopped and knows nobody. */
  readonly create: (name: string) => Promise<Network>;
  /** Makes two running networks know each other, and waits until both can gossip. */
  readonly connect: (a: Network, b: Network) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** What one network was told. */
export type Ear = {
  readonly network: Network;
  readonly heard: { topic: Topic; bytes: Uint8Array; from: string }[];
  readonly judged: Uint8Array[];
  readonly handlers: NetworkHandlers;
};

/** Handlers that write down what they are told, with parts replaced. */
export function listen(network: Network, parts: Partial<NetworkHandlers> = {}): Ear {
  const ear: Ear = {
    network,
    heard: [],
    judged: [],
    handlers: {
      judge: (topic, bytes, from) => {
        ear.judged.push(bytes);
        return parts.judge?.(topic, bytes, from) ?? accept;
      },
      heard: (topic, bytes, from) => {
        ear.heard.push({ topic, bytes, from });
        parts.heard?.(topic, bytes, from);
      },
      answer: parts.answer ?? (async (_protocol, body) => body),
    },
  };
  return ear;
}

/** Resolves once `holds`; fails after ten seconds, and says what was awaited. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether an ear has heard these bytes on a topic. */
export function hears(ear: Ear, topic: Topic, bytes: Uint8Array): boolean {
  return ear.heard.some((one) => one.topic === topic && sameBytes(one.bytes, bytes));
}

const soon = (ms = 20_000): AbortSignal => AbortSignal.timeout(ms);

/** The port's laws, as tests of one implementation. */
export function networkLaws(name: string, make: () => Promise<NetworkWorld>): void {
  let world: NetworkWorld;
  const laws = (title: string, tests: () => void): void => {
    describe(`${name}: ${title}`, () => {
      afterEach(() => world.close());
      tests();
    });
  };

  /** Running networks with these handlers, not connected. */
  const running = async (...parts: Partial<NetworkHandlers>[]): Promise<Ear[]> => {
    world = await make();
    const ears: Ear[] = [];
    for (const [index, part] of parts.entries())
      ears.push(listen(await world.create(`n${index}`), part));
    await Promise.all(ears.map(({ network, handlers }) => network.start(handlers)));
    return ears;
  };
  /** The same in a line: each is connected to the next alone. */
  const inLine = async (...parts: Partial<NetworkHandlers>[]): Promise<Ear[]> => {
    const ears = await running(...parts);
    for (let i = 1; i < ears.length; i++)
      await world.connect(ears[i - 1]!.network, ears[i]!.network);
    return ears;
  };

  laws('gossip', () => {
    test('reaches everybody on every topic, with the bytes that were published', async () => {
      const ears = await running({}, {}, {}, {});
      for (const [i, a] of ears.entries())
        for (const b of ears.slice(0, i)) await world.connect(a.network, b.network);
      const all: readonly Topic[] = ['jobs', 'proposals', 'votes', 'statements'];
      for (const topic of all)
        for (const [i, { network }] of ears.entries())
          network.publish(topic, utf8(`${topic} ${i}`));
      const largest = new Uint8Array(gossipBytesMax).fill(7);
      ears[0]!.network.publish('jobs', largest);
      for (const [i, ear] of ears.entries()) {
        for (const topic of all)
          for (const j of ears.keys())
            if (i !== j)
              await eventually(`${i} hears ${topic} of ${j}`, () =>
                hears(ear, topic, utf8(`${topic} ${j}`)),
              );
        if (i > 0) await eventually('the largest arrives', () => hears(ear, 'jobs', largest));
      }
      const names = new Set(ears.map(({ network }) => network.self));
      expect(names.size).toBe(4);
      for (const { heard, network } of ears)
        for (const { from } of heard) {
          expect(names.has(from) && from !== network.self, 'it came from a peer').toBe(true);
        }
    });

    test('is passed on by who accepts, never by who ignores or rejects', async () => {
      const verdicts: Record<string, Verdict> = { r: reject('TEST_BAD'), i: ignore('TEST_EARLY') };
      const judge = (_topic: Topic, bytes: Uint8Array): Verdict =>
        verdicts[String.fromCharCode(bytes[0]!)] ?? accept;
      const [a, b, c] = (await inLine({}, { judge }, {})) as [Ear, Ear, Ear];
      for (const text of ['rejected', 'ignored', 'good']) a.network.publish('votes', utf8(text));
      await eventually('the good one gets through', () => hears(c, 'votes', utf8('good')));
      expect(b.judged.map((bytes) => new TextDecoder().decode(bytes)).sort()).toEqual([
        'good',
        'ignored',
        'rejected',
      ]);
      expect(b.heard.map(({ bytes }) => bytes)).toEqual([utf8('good')]);
      expect(c.judged).toEqual([utf8('good')]);
      expect(b.heard[0]!.from).toBe(a.network.self);
      expect(c.heard[0]!.from).toBe(b.network.self);
    });

    test('announced again reaches who came too late for the first time', async () => {
      const [a, b, c] = (await running({}, {}, {})) as [Ear, Ear, Ear];
      await world.connect(a.network, b.network);
      const job = utf8('a job that nobody has ordered yet');
      a.network.publish('jobs', job);
      await eventually('the one who is there hears it', () => hears(b, 'jobs', job));
      await world.connect(b.network, c.network);
      const timer = setInterval(() => a.network.publish('jobs', job), 200);
      try {
        await eventually('the one who is late hears it', () => hears(c, 'jobs', job));
      } finally {
        clearInterval(timer);
      }
      expect(c.heard[0]!.from, 'it was passed on').toBe(b.network.self);
    });

    test('that is too large or empty is not sent, and harms nothing', async () => {
      const [a, b] = (await inLine({}, {})) as [Ear, Ear];
      a.network.publish('jobs', new Uint8Array(gossipBytesMax + 1));
      a.network.publish('jobs', new Uint8Array(0));
      a.network.publish('jobs', utf8('after'));
      await eventually('the next one arrives', () => hears(b, 'jobs', utf8('after')));
      expect(b.judged).toEqual([utf8('after')]);
    });
  });

  laws('requests', () => {
    test('are answered, each with its own answer, on both protocols', async () => {
      const answer = async (protocol: StreamProtocol, body: Uint8Array, from: string) =>
        utf8(`${protocol} ${body.length} ${from}`);
      const [a, b] = (await inLine({}, { answer })) as [Ear, Ear];
      expect(a.network.peers()).toEqual([b.network.self]);
      const sizes = [0, 1, 1_000, requestBytesMax, ...Array.from({ length: 60 }, (_, i) => i)];
      const answers = await Promise.all(
        sizes.flatMap((size) =>
          (['sync', 'blob'] as const).map((protocol) =>
            a.network.request(b.network.self, protocol, new Uint8Array(size), soon()),
          ),
        ),
      );
      expect(answers.map((bytes) => new TextDecoder().decode(bytes))).toEqual(
        sizes.flatMap((size) => [
          `sync ${size} ${a.network.self}`,
          `blob ${size} ${a.network.self}`,
        ]),
      );
    });

    test('carry the largest answer, and no answer at all', async () => {
      const large = new Uint8Array(responseBytesMax).fill(5);
      const answer = async (_: StreamProtocol, body: Uint8Array) =>
        body[0] === 1 ? large : new Uint8Array(0);
      const [a, b] = (await inLine({}, { answer })) as [Ear, Ear];
      const ask = (first: number) =>
        a.network.request(b.network.self, 'blob', Uint8Array.of(first), soon());
      expect(sameBytes(await ask(1), large)).toBe(true);
      expect(await ask(0)).toEqual(new Uint8Array(0));
    });

    test('are refused by name, and the next one is answered', async () => {
      const answer = async (_: StreamProtocol, body: Uint8Array): Promise<Uint8Array> => {
        if (body[0] === 1) throw new Error('a secret of this machine');
        return body[0] === 2 ? new Uint8Array(responseBytesMax + 1) : utf8('well');
      };
      const [a, b] = (await inLine({}, { answer })) as [Ear, Ear];
      const ask = (body: Uint8Array) => a.network.request(b.network.self, 'sync', body, soon());
      const refusal = await ask(Uint8Array.of(1)).catch((error) => error);
      expect(refusal.detail).toMatchObject({ code: 'NETWORK_REFUSED', peer: b.network.self });
      expect(refusal.message).not.toContain('secret');
      await expect(ask(Uint8Array.of(2))).rejects.toMatchObject({ code: 'NETWORK_REFUSED' });
      await expect(ask(new Uint8Array(requestBytesMax + 1))).rejects.toMatchObject({
        detail: { code: 'NETWORK_TOO_LARGE', what: 'request', bytesMax: requestBytesMax },
      });
      expect(await ask(Uint8Array.of(0))).toEqual(utf8('well'));
    });

    test('end at their deadline, and do not hold up others', async () => {
      const answer = async (_: StreamProtocol, body: Uint8Array): Promise<Uint8Array> =>
        body[0] === 1 ? new Promise(() => undefined) : body;
      const [a, b] = (await inLine({}, { answer })) as [Ear, Ear];
      const ask = (body: Uint8Array, signal: AbortSignal) =>
        a.network.request(b.network.self, 'sync', body, signal);
      const late = Array.from({ length: 4 }, () => ask(Uint8Array.of(1), soon(150)));
      expect(await ask(Uint8Array.of(2), soon())).toEqual(Uint8Array.of(2));
      for (const one of late) await expect(one).rejects.toMatchObject({ code: 'NETWORK_TIMEOUT' });
      await expect(ask(Uint8Array.of(3), AbortSignal.abort())).rejects.toMatchObject({
        code: 'NETWORK_TIMEOUT',
      });
      expect(await ask(Uint8Array.of(4), soon())).toEqual(Uint8Array.of(4));
    });

    test('to a stranger fail at once', async () => {
      const [a, b] = (await running({}, {})) as [Ear, Ear];
      const stranger = await world.create('stranger');
      await world.connect(a.network, b.network);
      await expect(
        a.network.request(stranger.self, 'sync', utf8('?'), soon()),
      ).rejects.toMatchObject({ detail: { code: 'NETWORK_PEER_UNKNOWN', peer: stranger.self } });
    });
  });

  laws('coming and going', () => {
    test('a stopped network has no peers, asks nobody, and may be started again', async () => {
      const answer = async (_: StreamProtocol, body: Uint8Array): Promise<Uint8Array> =>
        body[0] === 1 ? new Promise(() => undefined) : body;
      const [a, b] = (await inLine({}, { answer })) as [Ear, Ear];
      const ask = (body: Uint8Array) => a.network.request(b.network.self, 'sync', body, soon());
      await ask(Uint8Array.of(0));
      const open = expect(ask(Uint8Array.of(1))).rejects.toMatchObject({ code: 'NETWORK_STOPPED' });
      await a.network.stop();
      await open;
      expect(a.network.peers()).toEqual([]);
      await expect(ask(Uint8Array.of(0))).rejects.toMatchObject({ code: 'NETWORK_STOPPED' });
      a.network.publish('votes', utf8('into the void'));
      await a.network.stop();
      await eventually('the other notices', () => b.network.peers().length === 0);

      await a.network.start(a.handlers);
      await eventually('they find each other', () => a.network.peers().length === 1);
      await eventually('from both sides', () => b.network.peers().length === 1);
      expect(await ask(Uint8Array.of(2))).toEqual(Uint8Array.of(2));
      expect(hears(b, 'votes', utf8('into the void'))).toBe(false);
    });

    test('a peer that was gone is found again, and hears and is heard', async () => {
      const [a, b] = (await inLine({}, {})) as [Ear, Ear];
      for (const round of [1, 2]) {
        await b.network.stop();
        await eventually('it is missed', () => a.network.peers().length === 0);
        await expect(
          a.network.request(b.network.self, 'sync', utf8('?'), soon()),
        ).rejects.toMatchObject({ code: 'NETWORK_PEER_UNKNOWN' });
        await b.network.start(b.handlers);
        await eventually('it is back', () => a.network.peers()[0] === b.network.self);
        const [there, back] = [utf8(`there ${round}`), utf8(`back ${round}`)];
        const timer = setInterval(() => {
          a.network.publish('votes', there);
          b.network.publish('votes', back);
        }, 100);
        try {
          await eventually('it hears', () => hears(b, 'votes', there));
          await eventually('it is heard', () => hears(a, 'votes', back));
        } finally {
          clearInterval(timer);
        }
      }
    });
  });
}
