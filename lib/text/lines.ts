/** Text as lines: what diffs, merges and blame work on. */

/** Content as lines. Without content there are no lines, and `terminated` is true. */
export interface Text {
  /** Lines as latin1 strings of their bytes, without the line feed; a carriage return before it belongs to the line. */
  readonly lines: readonly string[];
  /** The last line ends with a line feed. */
  readonly terminated: boolean;
}

const NUL = 0;

/** True for content that can be taken as lines: it has no NUL byte. */
export function isText(bytes: Buffer): boolean {
  return !bytes.includes(NUL);
}

export function splitLines(bytes: Buffer): Text {
  if (bytes.length === 0) return { lines: [], terminated: true };
  const lines = bytes.toString("latin1").split("\n");
  const terminated = lines.at(-1) === "";
  if (terminated) lines.pop();
  return { lines, terminated };
}

export function joinLines({ lines, terminated }: Text): Buffer {
  if (lines.length === 0) return Buffer.alloc(0);
  return Buffer.from(lines.join("\n") + (terminated ? "\n" : ""), "latin1");
}
