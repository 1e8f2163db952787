/** The composition root: opens the parts in order, closes them in reverse. */

import { mkdirSync } from "node:fs";
import { systemClock } from "../lib/clock.ts";
import { MemfsError } from "../lib/errors.ts";
import type { Home } from "../lib/home.ts";
import { createIdSource } from "../lib/id.ts";
import { openLevelKv } from "../lib/kv/level.ts";
import type { Logger } from "../lib/log.ts";
import { Catalogue } from "../lib/store/catalogue.ts";
import { Keyring } from "../lib/store/crypto/keyring.ts";
import { LiveStores } from "../lib/vfs/live-stores.ts";
import { ClosingStack } from "./closing.ts";
import { Drivers } from "./drivers.ts";
import { MountTable } from "./mount-table.ts";
import { Mounts } from "./mounts.ts";

export interface DaemonOptions {
  readonly home: Home;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Somebody asked over HTTP that the daemon stop. */
  readonly onStopRequest: () => void;
}

/** A daemon that serves. */
export interface Daemon {
  /**
   * Stops accepting, commits drafts, unmounts, closes the database. Goes on after an error and throws the first.
   * Idempotent.
   */
  close(): Promise<void>;
}

/**
 * Makes the home if it is not there: private, because keys are in it. One that is there keeps its mode: it may be
 * somebody's directory with other things in it, and what is secret has a mode of its own.
 * @throws MemfsError `bad_config`
 */
export function makeHome(home: Home): void {
  try {
    mkdirSync(home.dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new MemfsError("bad_config", `the home ${home.dir} cannot be used (${code}); set MEMFS_HOME`, { cause });
  }
}

/**
 * Opens everything and serves. The caller holds the home's lock.
 * @throws MemfsError `locked`, `format_newer`, `damaged`, `bad_key`, `bad_config`, `fuse_unavailable`, `no_space`, `io`
 */
export async function openDaemon(options: DaemonOptions): Promise<Daemon> {
  const stack = new ClosingStack();
  try {
    await open(options, stack);
  } catch (error) {
    // What failed is the reason; what then also fails to close is not.
    await stack.close().catch(() => undefined);
    throw error;
  }
  return { close: () => stack.close() };
}

async function open({ home, env, log, onStopRequest }: DaemonOptions, stack: ClosingStack): Promise<void> {
  const clock = systemClock;
  const ids = createIdSource(clock);
  const startedAt = clock.now();
  const keyring = await Keyring.open({ dir: home.dir, env, log });
  const kv = await openLevelKv({ dir: home.dir, sealerOf: (space) => keyring.sealerOf(space), log });
  stack.push(() => kv.close());
  const catalogue = await Catalogue.open({ kv, keyring, clock, ids });
  const live = new LiveStores({ catalogue, clock, log, spill: { directory: home.dir } });
  stack.push(() => live.close());

  const table = new MountTable(home.mountsFile);
  const remembered = await table.open(log);
  const drivers = new Drivers(log);
  stack.push(() => drivers.close());
  const user = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const mounts = new Mounts({ catalogue, live, drivers, door: kv, table, home: home.dir, clock, ids, log, user });
  stack.push(() => mounts.close());
  await mounts.restore(remembered);

  // Only now: loading the HTTP server takes longer than everything above together.
  const { listen } = await import("./http/listen.ts");
  let ready = true;
  const server = await listen(home, {
    ...{ catalogue, mounts, door: kv, home: home.dir, clock, ids, log, startedAt },
    ready: () => ready,
    stop: onStopRequest,
  });
  stack.push(() => server.close());
  stack.push(() => {
    ready = false;
  });
}
