/** Give each machine of a test a network of its own, where the system lets us. */
import { spawnSync } from 'node:child_process';

/** Machines on one cable: each has an address, and the words that run a command on it. */
export type Cable = {
  /** Whether they are apart for real; else they share this machine under loopback addresses. */
  readonly real: boolean;
  readonly address: (machine: string) => string;
  readonly wrapper: (machine: string) => readonly string[];
  readonly remove: () => void;
};

function ip(...words: readonly string[]): boolean {
  return spawnSync('ip', words, { stdio: 'ignore' }).status === 0;
}

/** Puts machines on one cable, with the addresses 192.0.2.1, 192.0.2.2 and so on. */
export function layCable(machines: readonly string[]): Cable {
  const front = `anw${process.pid}`;
  const space = (machine: string): string => `${front}${machine}`;
  const hub = space('hub');
  const spaces = [hub, ...machines.map(space)];
  const remove = (): void => {
    for (const one of spaces) ip('netns', 'del', one);
  };
  const inside = (where: string, ...words: readonly string[]): boolean =>
    ip('netns', 'exec', where, 'ip', ...words);
  const laid =
    spaces.every((one) => ip('netns', 'add', one)) &&
    inside(hub, 'link', 'add', 'cable', 'type', 'bridge') &&
    inside(hub, 'link', 'set', 'cable', 'up') &&
    machines.every((machine, index) => {
      const there = space(machine);
      const end = `port${index}`;
      return (
        inside(hub, 'link', 'add', end, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', there) &&
        inside(hub, 'link', 'set', end, 'master', 'cable', 'up') &&
        inside(there, 'addr', 'add', `192.0.2.${index + 1}/24`, 'dev', 'eth0') &&
        inside(there, 'link', 'set', 'eth0', 'up') &&
        inside(there, 'link', 'set', 'lo', 'up')
      );
    });
  if (laid)
    return {
      real: true,
      address: (machine) => `192.0.2.${machines.indexOf(machine) + 1}`,
      wrapper: (machine) => ['ip', 'netns', 'exec', space(machine)],
      remove,
    };
  remove();
  return {
    real: false,
    address: (machine) => `127.0.0.${machines.indexOf(machine) + 2}`,
    wrapper: () => [],
    remove: () => undefined,
  };
}
