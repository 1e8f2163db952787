/**
 * The library of memfs: memory stores without a daemon and without mounts, and the client of a daemon. One process at a
 * time has a home open; a daemon counts.
 *
 * ```ts
 * const clock = systemClock;
 * const keyring = await Keyring.open({ dir, env: process.env, log: silentLog });
 * const kv = await openLevelKv({ dir, sealerOf: (space) => keyring.sealerOf(space), log: silentLog });
 * const catalogue = await Catalogue.open({ kv, keyring, clock, ids: createIdSource(clock) });
 * const store = await catalogue.open(catalogue.find("notes").id);
 * // …
 * await kv.close();
 * ```
 */

/** The one error class, and what each of its codes becomes at every edge: errno, HTTP status, exit code. */
export { ERRORS, type ErrorCode, type ErrorDetail, type ErrorMeaning, MemfsError, meaningOf } from "./errors.ts";

/** Where time, ids and log lines come from and go to: injected, so that tests can fix them. */
export { type Clock, systemClock } from "./clock.ts";
export { createIdSource, type IdPrefix, type IdSource, type Uid } from "./id.ts";
export { type LogFields, type Logger, silentLog } from "./log.ts";
export { VERSION } from "./version.ts";

/** The database: LevelDB behind a redo log. */
export { openLevelKv } from "./kv/level.ts";
export type { LevelKvOptions } from "./kv/level-options.ts";
export type { Kv, Sealer, Space } from "./kv/kv.ts";

/** The keys of a home: a master key, and one per store. */
export { Keyring, type KeyringOptions, MASTER_KEY_VARIABLE, type StoreKeys } from "./store/crypto/keyring.ts";

/** The stores of a home: create, find, change, delete, open. */
export { Catalogue, type CatalogueOptions, type NewStore, type StoreChanges } from "./store/catalogue.ts";

/** One open store: its memories, their versions, its journal. */
export { Store } from "./store/store.ts";
export type * from "./store/types.ts";
export type { BlamedInfo, JournalHead } from "./store/history/history.ts";
export type { DiffSide, FileDiff } from "./store/history/diff.ts";
export type { SessionInfo } from "./store/history/sessions.ts";

/** The daemon's HTTP client over its unix socket, where that is, and the objects on the wire (as `api.Memory`). */
export { Client, type Query } from "./client.ts";
export { findSocket, type Home, homeAt, homeOf } from "./home.ts";
export type * as api from "./api.ts";
