/** Times as they are written: RFC 3339 in JSON. In memory they are microseconds since the epoch. */

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?$/;

/** `2026-11-21T09:42:10.123456Z`. */
export function formatTime(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6).padStart(6, "0");
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** Microseconds of an RFC 3339 time, or null. Without a zone it is local time, if `local`, else null. */
export function parseTime(text: string, local = false): number | null {
  const match = RFC_3339.exec(text);
  if (match === null) return null;
  const [, date = "", clock = "", fraction = "", zone] = match;
  if (zone === undefined && !local) return null;
  const wall = `${date}T${clock}`;
  const millis = Date.parse(`${wall}${zone?.toUpperCase() ?? ""}`);
  // Date.parse lets 30 February through as 1 March.
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(millis) || Number.isNaN(day.getTime()) || !day.toISOString().startsWith(date)) return null;
  return millis * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const RELATIVE = /^(\d+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?|months?|y|years?) ago$/;

/**
 * Microseconds of `2h ago` counted back from `now` (microseconds), or null. Months and years are those of the calendar,
 * in UTC: a month before 31 March is the last day of February. `yesterday` is `1d ago`.
 */
export function parseRelative(text: string, now: number): number | null {
  const words = text.trim();
  const match = RELATIVE.exec(words === "yesterday" ? "1d ago" : words);
  if (match === null) return null;
  const [, digits = "", unit = ""] = match;
  const count = Number(digits);
  const months = unit.startsWith("mo") ? count : unit.startsWith("y") ? 12 * count : 0;
  const at = months > 0 ? monthsBefore(now, months) : now - count * (UNITS[unit.charAt(0)] ?? 0) * 1e6;
  return Number.isSafeInteger(at) && at >= 0 ? at : null;
}

/** NaN for a time that no calendar has. */
function monthsBefore(now: number, months: number): number {
  const millis = Math.floor(now / 1000);
  const date = new Date(millis);
  const day = date.getUTCDate();
  date.setUTCMonth(date.getUTCMonth() - months);
  // There is no such day in that month: the date went on into the next one.
  if (date.getUTCDate() !== day) date.setUTCDate(0);
  return date.getTime() * 1000 + (now - millis * 1000);
}
