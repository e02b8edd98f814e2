import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// What Node has compiled is kept for the next process: tests start hundreds of them, each of which
// would read the same modules anew. It changes nothing that a program can see.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(
  new URL('node_modules/.cache/compiled', import.meta.url),
);

// `quick` is what `npm test` runs; files named *.long.test.ts belong to the campaigns.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.long.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Two more than the cores that we count on: whole networks mostly wait.
          maxWorkers: 4,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/**/*.long.test.ts'],
          testTimeout: 3_600_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
