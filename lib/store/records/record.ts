/**
 * What all records share: the format version they start with, and fields that several of them have.
 * Names, paths and ids are bytes held as latin1 strings: records are cached, and a small Buffer would pin the 8 KiB pool
 * it was cut from.
 */

import { MemfsError } from "../../errors.ts";
import { Reader, Writer } from "./codec.ts";
import type { Actor } from "../types.ts";

const RECORD_FORMAT = 1;
/** Widths of fields. */
export const UID_BYTES = 16;
export const HASH_BYTES = 32;

/** Seconds and nanoseconds since the epoch, as `stat` shows them. */
export interface Timestamp {
  readonly sec: number;
  readonly nsec: number;
}

/** Seconds of the years 0 to 9999, which is what RFC 3339 can say. */
const FIRST_SECOND = -62_167_219_200;
const LAST_SECOND = 253_402_300_799;

/** The nearest time that can be stored and shown: anybody may ask for any 64 bits of seconds. */
export function storableTime(time: Timestamp): Timestamp {
  if (time.sec < FIRST_SECOND) return { sec: FIRST_SECOND, nsec: 0 };
  return time.sec > LAST_SECOND ? { sec: LAST_SECOND, nsec: 0 } : time;
}

/** A record that a transaction is changing. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const writer = new Writer();

/** Starts writing a record, in memory that all share: the encoded record is valid until the next one is begun. */
export function begin(): Writer {
  return writer.reset().u8(RECORD_FORMAT);
}

/** Starts reading a record. @throws MemfsError `format_newer` */
export function openRecord(bytes: Buffer): Reader {
  const reader = new Reader(bytes);
  const format = reader.u8();
  if (format > RECORD_FORMAT) throw new MemfsError("format_newer", `a record has format ${format}; update memfs`);
  return reader;
}

export function writeTime(out: Writer, time: Timestamp): void {
  out.signed(time.sec).varint(time.nsec);
}

export function readTime(from: Reader): Timestamp {
  return { sec: from.signed(), nsec: from.varint() };
}

/** True when `a` is after `b`. */
export function isLater(a: Timestamp, b: Timestamp): boolean {
  return a.sec > b.sec || (a.sec === b.sec && a.nsec > b.nsec);
}

export function writeActor(out: Writer, actor: Actor): void {
  switch (actor.type) {
    case "session":
      out.u8(1).text(actor.sessionId).text(actor.agent);
      return;
    case "api":
      out.u8(2).text(actor.apiKeyId);
      return;
    case "user":
      out.u8(3).text(actor.userId);
  }
}

export function readActor(from: Reader): Actor {
  const type = from.u8();
  if (type === 1) return { type: "session", sessionId: from.text(), agent: from.text() };
  if (type === 2) return { type: "api", apiKeyId: from.text() };
  if (type === 3) return { type: "user", userId: from.text() };
  throw new MemfsError("damaged", `a stored record names an actor of unknown type ${type}`);
}

export function readList<T>(from: Reader, read: () => T): T[] {
  const count = from.varint();
  const items: T[] = [];
  for (let index = 0; index < count; index++) items.push(read());
  return items;
}

export function readOneOf<T>(from: Reader, values: readonly T[]): T {
  const value = values[from.u8()];
  if (value === undefined) throw new MemfsError("damaged", "a stored record holds an unknown value");
  return value;
}

export function readNullableText(from: Reader): string | null {
  const present = from.u8() === 1;
  const text = from.text();
  return present ? text : null;
}

export function readNullableCount(from: Reader): number | null {
  const stored = from.varint();
  return stored === 0 ? null : stored - 1;
}
