/** Public ids: a prefix, the format mark `01`, and 22 base58 characters of 48-bit milliseconds and 80 random bits. */

import { randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";
import { MemfsError } from "./errors.ts";
import { u48 } from "./u48.ts";

/** The 16 bytes behind an id, as a latin1 string: what keys and records hold. Sorts by time. */
export type Uid = string;

export type IdPrefix = "memstore" | "mem" | "memver" | "sesn" | "mount" | "user" | "req";

/** Makes ids. Randomness comes in here, so that tests can fix it. */
export interface IdSource {
  uid(): Uid;
  /** The random part of an id alone: 10 bytes, as a latin1 string. */
  random(): string;
}

const FORMAT = "01";
const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const DIGITS = new Map([...ALPHABET].map((character, value) => [character, value]));
/** 58^22 > 2^128 > 58^21. */
const LENGTH = 22;
const RANDOM_BYTES = 10;

/** Ids from the clock and the system's randomness, drawn in blocks: one system call per 400 ids. */
export function createIdSource(clock: Clock): IdSource {
  const pool = Buffer.alloc(RANDOM_BYTES * 400);
  let used = pool.length;
  const random = (): string => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += RANDOM_BYTES;
    return pool.toString("latin1", used - RANDOM_BYTES, used);
  };
  return { uid: () => u48(Math.floor(clock.now() / 1000)) + random(), random };
}

/** `mem_01…` for the 16 bytes of a memory. */
export function formatId(prefix: IdPrefix, uid: Uid): string {
  const limbs = [0, 4, 8, 12].map((at) => Buffer.from(uid, "latin1").readUInt32BE(at));
  let text = "";
  for (let digit = 0; digit < LENGTH; digit++) {
    let remainder = 0;
    for (let limb = 0; limb < 4; limb++) {
      const value = remainder * 2 ** 32 + (limbs[limb] ?? 0);
      limbs[limb] = Math.floor(value / 58);
      remainder = value % 58;
    }
    text = ALPHABET.charAt(remainder) + text;
  }
  return `${prefix}_${FORMAT}${text}`;
}

/** The 16 bytes behind an id, or null when the text is no id with that prefix. */
export function tryParseId(prefix: IdPrefix, text: string): Uid | null {
  const start = `${prefix}_${FORMAT}`;
  if (!text.startsWith(start) || text.length !== start.length + LENGTH) return null;
  const limbs = [0, 0, 0, 0];
  for (const character of text.slice(start.length)) {
    let carry = DIGITS.get(character) ?? -1;
    if (carry < 0) return null;
    for (let limb = 3; limb >= 0; limb--) {
      const value = (limbs[limb] ?? 0) * 58 + carry;
      limbs[limb] = value % 2 ** 32;
      carry = Math.floor(value / 2 ** 32);
    }
    if (carry > 0) return null;
  }
  const bytes = Buffer.alloc(16);
  limbs.forEach((limb, index) => bytes.writeUInt32BE(limb, index * 4));
  return bytes.toString("latin1");
}

/** @throws MemfsError `not_found` when the text is no such id: what cannot exist is not there. */
export function parseId(prefix: IdPrefix, text: string): Uid {
  const uid = tryParseId(prefix, text);
  if (uid === null) throw new MemfsError("not_found", `${JSON.stringify(text)} is no ${prefix}_… id; check it`);
  return uid;
}
