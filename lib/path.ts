/** Paths of memories as the HTTP API carries them. In the store a path is raw bytes, as the kernel gave them. */

/** The API's limits on a path. */
export const PATH_LIMITS = Object.freeze({ bytes: 1024, segments: 20, segmentBytes: 255 });

/** A path on the wire. `exact` is false when `path` is not the path itself but a description that {@link pathsOf} undoes. */
export interface WirePath {
  readonly path: string;
  readonly exact: boolean;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Control and format characters, line and paragraph separators: what no path of the API may hold. */
const FORBIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

/** The path as the API shows it: bytes that it cannot carry become `%XX`, and then so does every `%`. */
export function wirePath(bytes: Buffer): WirePath {
  const text = decode(bytes);
  if (text !== null && isApiPath(text)) return { path: text, exact: true };
  return { path: escape(bytes), exact: false };
}

/** Whether the API could create a memory at this path. */
export function isApiPath(text: string): boolean {
  if (!text.startsWith("/") || Buffer.byteLength(text) > PATH_LIMITS.bytes) return false;
  if (FORBIDDEN.test(text) || text !== text.normalize("NFC")) return false;
  const segments = text.slice(1).split("/");
  if (segments.length > PATH_LIMITS.segments || segments[0] === ".memfs") return false;
  return segments.every(
    (segment) =>
      segment !== "" && segment !== "." && segment !== ".." && Buffer.byteLength(segment) <= PATH_LIMITS.segmentBytes,
  );
}

/** What a path from the wire may mean, most likely first: itself, and what it describes if it is no exact path. */
export function pathsOf(text: string): readonly Buffer[] {
  const exact = Buffer.from(text, "utf8");
  if (!/%[0-9A-Fa-f]{2}/.test(text)) return [exact];
  const described = unescape(exact);
  const found = wirePath(described);
  return found.exact ? [exact] : [exact, described];
}

function decode(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** Escapes what is wrong: bytes that are not UTF-8, forbidden characters, and what normalisation would change. */
function escape(bytes: Buffer): string {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const character = characterAt(bytes, at);
    const width = character === null ? 1 : Buffer.byteLength(character);
    const plain = character !== null && character !== "%" && !FORBIDDEN.test(character) && isStable(character);
    text += plain ? character : percent(bytes.subarray(at, at + width));
    at += width;
  }
  return text;
}

/** A character that no neighbour can compose with and that is composed itself. */
function isStable(character: string): boolean {
  return character === character.normalize("NFC") && !/\p{M}/u.test(character);
}

/** The UTF-8 character that starts at `at`, or null. */
function characterAt(bytes: Buffer, at: number): string | null {
  const first = bytes[at] ?? 0;
  const width = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return decode(bytes.subarray(at, at + width));
}

function percent(bytes: Buffer): string {
  return [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

function unescape(bytes: Buffer): Buffer {
  const latin = bytes.toString("latin1");
  const plain = latin.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(plain, "latin1");
}
