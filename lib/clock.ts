/** Time comes in here, so that tests can fix it. */
export interface Clock {
  /** Wall clock, microseconds since the epoch. */
  now(): number;
  /** Never goes back, milliseconds since an arbitrary moment. */
  monotonic(): number;
}

/** The system's clock, with microseconds where the platform has them. */
export const systemClock: Clock = Object.freeze({
  now: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
  monotonic: () => performance.now(),
});
