import type { Cpu, SystemName } from "../rows.ts";

/** A filesystem to measure. */
export interface System {
  readonly name: SystemName;
  /** Column title. */
  readonly title: string;
  /** What it is, with its version; or why it is not there. */
  describe(): Promise<{ readonly text: string; readonly available: boolean }>;
  /** Starts it with an empty directory `scratch` of its own. Registers its own teardown. */
  start(scratch: string, cpu: Cpu): Promise<Running>;
}

/** A filesystem ready to be measured. */
export interface Running {
  /** The client works below this directory. */
  readonly directory: string;
  /** Checks, after everything, that it did what it claims. */
  verify?(expectedVersions: number): Promise<string>;
}
