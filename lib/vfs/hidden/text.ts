/** A file of text that is written when it is looked at. */

import { S_IFREG } from "../../store/tree/mode.ts";
import type { Timestamp } from "../../store/records/record.ts";
import type { Micros } from "../../store/types.ts";
import type { Answer } from "../filesystem.ts";
import type { HiddenFile, Look, OpenBytes } from "./node.ts";

export interface Text {
  readonly text: string;
  /** When it last became another. */
  readonly changedAt: Micros;
}

export const timeOf = (micros: Micros): Timestamp => ({
  sec: Math.floor(micros / 1e6),
  nsec: (micros % 1e6) * 1000,
});

export class TextFile implements HiddenFile {
  readonly kind = "file";
  readonly #write: () => Answer<Text>;

  /** @param write called for each look and each open: what does not change should be cheap */
  constructor(write: () => Answer<Text>) {
    this.#write = write;
  }

  async look(): Promise<Look> {
    return (await this.open()).look;
  }

  async open(): Promise<OpenBytes> {
    const { text, changedAt } = await this.#write();
    const bytes = Buffer.from(text);
    return {
      look: { mode: S_IFREG | 0o444, size: bytes.length, mtime: timeOf(changedAt) },
      read: (offset, length) => bytes.subarray(offset, offset + length),
      changes: true,
    };
  }
}

/** A name that cannot look like another line, or drive a terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
