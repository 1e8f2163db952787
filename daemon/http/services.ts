/** What the routes stand on. */

import type { Clock } from "../../lib/clock.ts";
import type { IdSource } from "../../lib/id.ts";
import type { Logger } from "../../lib/log.ts";
import type { Catalogue } from "../../lib/store/catalogue.ts";
import type { Mounts } from "../mounts.ts";

export interface Services {
  readonly catalogue: Catalogue;
  readonly mounts: Mounts;
  /** Tells when changes have to wait for the storage. */
  readonly door: { readonly pressed: boolean; relieved(): Promise<void> };
  /** Directory of the home. */
  readonly home: string;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Logger;
  /** Microseconds since the epoch. */
  readonly startedAt: number;
  /** False from the moment the daemon begins to stop. */
  readonly ready: () => boolean;
  /** Begins to stop the daemon; returns at once. */
  readonly stop: () => void;
}
