#!/usr/bin/env node
/** Refuse a Node that is too old; import main. */
// Plain JavaScript, so that an old Node can say so.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
// 23.6 is where its line learnt to run TypeScript.
const runs = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
const bin = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));

function stop(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}

if (!runs) {
  const own = existsSync(`${bin}/node`)
    ? 'The package brings its own: run it as `npm run -s anwansi -- COMMAND`, or `npm run demo`.'
    : 'Install Node 22.18 or later (`npm ci` brings one along on Linux), then run it again.';
  stop(`anwansi needs Node 22.18 or later; this is ${process.versions.node}. ${own}`);
}
import('./main.ts').catch((error) => {
  if (error.code === 'ERR_MODULE_NOT_FOUND' && !existsSync(bin))
    stop('anwansi is not installed yet: run `npm ci` in its directory first.');
  throw error;
});
