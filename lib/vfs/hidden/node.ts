/** What there is under `.memfs`: nodes that are made up when they are asked for. Nothing there can be changed. */

import type { Timestamp } from "../../store/records/record.ts";
import type { Answer } from "../filesystem.ts";

/** How a node looks. */
export interface Look {
  /** Type and permission bits. */
  readonly mode: number;
  readonly size: number;
  readonly mtime: Timestamp;
}

/** The bytes one open of a file reads, whatever happens to the store meanwhile. */
export interface OpenBytes {
  readonly look: Look;
  /** Fewer bytes than asked for only at the end. @throws MemfsError `damaged` */
  read(offset: number, length: number): Buffer;
  /** The next open may give others: the kernel must not keep them. */
  readonly changes: boolean;
}

export interface HiddenFile {
  readonly kind: "file";
  look(): Answer<Look>;
  /** @throws MemfsError `not_found` when there are no bytes any more */
  open(): Answer<OpenBytes>;
}

export interface HiddenLink {
  readonly kind: "link";
  look(): Answer<Look>;
  /** Bytes. */
  readonly target: string;
}

/** A name in a directory. */
export interface HiddenName {
  /** Bytes. */
  readonly name: string;
  /** Type bits. */
  readonly type: number;
}

export interface HiddenDirectory {
  readonly kind: "directory";
  /** Tells it from another directory that the same name stood for before; absent when that cannot be. */
  readonly identity?: string;
  look(): Answer<Look>;
  /** @param name bytes */
  lookup(name: string): Answer<HiddenNode | null>;
  /** Names to show; others may be found by {@link lookup} too. */
  list(): Answer<readonly HiddenName[]>;
}

export type HiddenNode = HiddenFile | HiddenLink | HiddenDirectory;
