/** How the durable key-value store is opened. */
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { Disk } from "./disk.ts";
import type { Format } from "./format.ts";
import type { Sealer } from "./kv.ts";
import type { OnPoint } from "./points.ts";

/** Bounds on changes that LevelDB has not taken, in bytes: `soft` closes the door, `hard` refuses commits. */
export interface Bounds {
  readonly soft: number;
  readonly hard: number;
}

export interface LevelKvOptions {
  /** LevelDB goes to `db` in it, the redo log to `redo`, value files to `values`. Created when missing. */
  readonly dir: string;
  /** Opens redo records on start; null for a space whose key is not there: its records are withheld. */
  readonly sealerOf: (space: number) => Sealer | null;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly bounds?: Bounds;
  /** Bytes after which a new redo file is started, and a new value file. */
  readonly rotateSize?: number;
  readonly valueRotateSize?: number;
  readonly format?: Format;
  /** Fault injection for tests. */
  readonly disk?: Disk;
  /** Told of the moments at which a crash must lose nothing. */
  readonly onPoint?: OnPoint;
}
