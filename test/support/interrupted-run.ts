/** Interrupt a run in the middle of its job, and look at what it leaves behind. */
import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { descendants, isRunning, type Place, startAnwansi } from './anwansi-process.ts';

/** Sends a signal to a `run` that would never end: it ends with the code, and nothing is left. */
export async function expectLeavesNothing(
  place: Place,
  signal: NodeJS.Signals,
  code: number,
): Promise<void> {
  const endless = ['run', 'primes', '--params', '{"from":0,"to":5000000000}'];
  const { child, ended, says } = startAnwansi([...endless, '--nodes', '4'], { place });
  await says('running');
  const family = descendants(child.pid!);
  expect(family.length, 'the process and a sandbox at least').toBeGreaterThan(1);
  expect(readdirSync(place.temporary)).not.toEqual([]);
  child.kill(signal);
  const { exitCode, err, out } = await ended;
  expect(exitCode, err).toBe(code);
  expect(err).toContain('error INTERRUPTED');
  expect(out).toHaveLength(0);
  expect(readdirSync(place.temporary)).toEqual([]);
  await expect.poll(() => family.filter(isRunning), { timeout: 20_000 }).toEqual([]);
  expect(readdirSync(place.directory)).toEqual([]);
}
