/** Time comes in here, so that tests can fix it. */
export interface Clock {
  /** Wall clock, microseconds since the epoch. */
  now(): number;
  /** Never goes back, milliseconds since an arbitrary moment. */
  monotonic(): number;
}

/** How far (µs) the counter may stray from the wall clock before it is set again: NTP slews less, suspend more. */
const MAX_DRIFT = 2000;

/** The system's clock. The wall clock of Node counts milliseconds; the monotonic counter supplies the microseconds. */
function createSystemClock(): Clock {
  const counter = (): number => Math.round(performance.now() * 1000);
  let offset = Date.now() * 1000 - counter();
  return Object.freeze({
    now(): number {
      const wall = Date.now() * 1000;
      const fine = offset + counter();
      if (fine >= wall - MAX_DRIFT && fine <= wall + MAX_DRIFT) return fine;
      offset = wall - counter();
      return wall;
    },
    monotonic: () => performance.now(),
  });
}

export const systemClock: Clock = createSystemClock();
