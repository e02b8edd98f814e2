/** Start everything that exists only while a network on libp2p runs, and stop it in reverse. */
import type { IdentifyResult, PeerId, PrivateKey } from '@libp2p/interface';
import { mark } from '../../protocol/assert.ts';
import type { NetworkHandlers } from '../ports.ts';
import { registerAnswers } from './answers.ts';
import { NetworkError } from './error.ts';
import type { NetworkLog } from './event.ts';
import { type Gossip, startGossip } from './gossip.ts';
import { createHost, type Host, stopHost } from './host.ts';
import type { NetworkNames } from './names.ts';
import type { Redial } from './redial.ts';
import { type Asker, createAsker } from './streams.ts';
import { type BanList, hangUp, startWatchdog, type Watchdog } from './watchdog.ts';

/** What outlives a stop. */
export type Setup = {
  readonly privateKey: PrivateKey;
  readonly names: NetworkNames;
  readonly bans: BanList;
  readonly redial: Redial;
  /** Peers of our network that are connected now. */
  readonly here: Set<string>;
  readonly log: NetworkLog;
};

/** A network that runs. */
export type Running = {
  readonly host: Host;
  readonly gossip: Gossip;
  readonly asker: Asker;
  readonly stop: () => Promise<void>;
};

/** Starts on the first of several sets of addresses on which it can. */
export async function startAny(
  setup: Setup,
  choices: readonly (readonly string[])[],
  handlers: NetworkHandlers,
): Promise<Running> {
  let failure: unknown = null;
  for (const addresses of choices) {
    try {
      return await startOn(setup, addresses, handlers);
    } catch (cause) {
      failure = cause;
    }
  }
  const reason = (failure as Error).message;
  const addresses = choices.at(-1)!;
  throw new NetworkError({ code: 'NETWORK_LISTEN', addresses, reason }, failure);
}

async function startOn(
  setup: Setup,
  addresses: readonly string[],
  handlers: NetworkHandlers,
): Promise<Running> {
  const { names, bans, redial, here, log } = setup;
  const host = await createHost(setup.privateKey, addresses, names, bans);
  // Before the start: the first peer may be here before the start is over.
  const endAnswers = await registerAnswers(host, names, handlers.answer);
  const endPeers = followPeers(host, setup);
  try {
    await host.start();
  } catch (cause) {
    endPeers();
    await stopHost(host);
    throw cause;
  }
  let watchdog: Watchdog | null = null;
  const ruined = (peer: string): void => watchdog?.ban(peer);
  const gossip = startGossip(host.services.pubsub, names, handlers, log, ruined);
  const asker = createAsker(host, names);
  const { score, gossips } = gossip;
  const { sweep: alsoDo } = asker;
  watchdog = startWatchdog({ host, score, gossips, knows: redial.knows, bans, log, alsoDo });
  const stop = async (): Promise<void> => {
    watchdog.stop();
    endPeers();
    asker.stop();
    endAnswers();
    const endGossip = gossip.stop();
    await redial.stop();
    here.clear();
    await stopHost(host);
    endGossip();
  };
  return { host, gossip, asker, stop };
}

/** Keeps the set of peers of our network that are here. Returns how to end. */
function followPeers(host: Host, { names, redial, here, log }: Setup): () => void {
  const needed = names.protocol('sync');
  const identified = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const peer = detail.peerId.toString();
    if (!detail.protocols.includes(needed)) {
      mark('W19');
      const reason = 'it belongs to another network';
      log({ kind: 'stranger', peer, reason });
      redial.blame(peer, reason);
      void hangUp(host, peer);
    } else if (!here.has(peer) && host.getConnections(detail.peerId).length > 0) {
      here.add(peer);
      log({ kind: 'connected', peer });
    }
  };
  const gone = ({ detail }: CustomEvent<PeerId>): void => {
    const peer = detail.toString();
    if (here.delete(peer)) log({ kind: 'disconnected', peer });
    redial.lost(peer);
  };
  host.addEventListener('peer:identify', identified);
  host.addEventListener('peer:disconnect', gone);
  return () => {
    host.removeEventListener('peer:identify', identified);
    host.removeEventListener('peer:disconnect', gone);
  };
}
