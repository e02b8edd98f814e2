/** Describe how unreliable a simulated network is. */

/** Percentages are per message; every family can be switched off by itself. */
export type Weather = {
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  readonly delayMinMs: number;
  readonly delaySpreadMs: number;
  /** Messages that take very long, and how long at most. */
  readonly tailPercent: number;
  readonly tailMs: number;
};

const still: Weather = {
  lossPercent: 0,
  duplicatePercent: 0,
  delayMinMs: 5,
  delaySpreadMs: 10,
  tailPercent: 0,
  tailMs: 0,
};

/** Weathers by name. Whatever spreads delays reorders as well: each message has a delay of its own. */
export const weathers = {
  calm: still,
  delayed: { ...still, delayMinMs: 60, delaySpreadMs: 60 },
  lossy: { ...still, lossPercent: 20 },
  doubled: { ...still, duplicatePercent: 50, tailPercent: 10, tailMs: 2_000 },
  shuffled: { ...still, delaySpreadMs: 200, tailPercent: 3, tailMs: 4_000 },
  stormy: {
    lossPercent: 20,
    duplicatePercent: 20,
    delayMinMs: 5,
    delaySpreadMs: 120,
    tailPercent: 3,
    tailMs: 3_000,
  },
} as const satisfies Readonly<Record<string, Weather>>;

export type WeatherName = keyof typeof weathers;
