import { defineConfig } from 'vitest/config';

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
          // One more than the cores that we count on: whole networks mostly wait.
          maxWorkers: 3,
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
