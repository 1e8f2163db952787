/** Moments at which a crash must lose nothing. Tests are told of each and kill the process there. */
export type Point =
  /** A record is in the log, its keys are not in the overlay yet. */
  | "appended"
  /** Appended values are in their file, the redo log does not tell of them yet. */
  | "values"
  /** The values are sealed, LevelDB has not been given them. */
  | "batch"
  /** LevelDB has taken all values and the checkpoint; the redo files are still there. */
  | "applied"
  /** A redo file is about to be unlinked. */
  | "unlink"
  /** A new redo file exists, nothing is in it but its header. */
  | "rotated"
  /** Some keys of a destroyed space are gone. */
  | "erased";

/** Called at each {@link Point}, synchronously. */
export type OnPoint = (point: Point) => void;
