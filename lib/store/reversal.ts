/** Going back in an open store: always forward, as one transaction of new versions. */

import { MemfsError } from "../errors.ts";
import { formatId, parseId } from "../id.ts";
import { toBytes } from "./names.ts";
import { rollbackMemory, wouldChange } from "./rollback.ts";
import type { Settling } from "./settling.ts";
import type { StoreState } from "./state.ts";
import type { Cause, Transaction } from "./transaction.ts";
import type { RollbackResult, StoreInfo, VersionSpec } from "./types.ts";
import { resolveVersion, versionById, versionInfo } from "./versions.ts";

/** What going back works on. */
export interface ReversalOptions {
  readonly state: StoreState;
  readonly settling: Settling;
  readonly describe: () => { readonly info: StoreInfo };
  /** Runs a change as one transaction. @throws MemfsError `no_space`, `io`, `closed` */
  readonly update: <T>(cause: Cause, change: (tx: Transaction) => T) => T;
}

export class Reversal {
  readonly #state: StoreState;
  readonly #settling: Settling;
  readonly #describe: ReversalOptions["describe"];
  readonly #update: ReversalOptions["update"];

  constructor({ state, settling, describe, update }: ReversalOptions) {
    this.#state = state;
    this.#settling = settling;
    this.#describe = describe;
    this.#update = update;
  }

  /** @throws MemfsError `not_found`, `exists`, `archived`, `no_space` */
  async rollback(
    input: { memoryId: string; to: VersionSpec; dryRun?: boolean },
    cause: Cause,
  ): Promise<RollbackResult> {
    await this.#settling.recordAllInTurns();
    const uid = parseId("mem", input.memoryId);
    const to = await resolveVersion(this.#state, uid, input.to);
    const before = this.#state.memory(uid);
    if (before === undefined) throw new MemfsError("not_found", `no memory ${input.memoryId} in this store`);
    const target = { memoryId: input.memoryId, path: toBytes(before.path), to: versionInfo(to) };
    if (this.#describe().info.archivedAt !== null)
      throw new MemfsError("archived", "the store is archived; it can be read and deleted, not changed");
    if (input.dryRun === true || !wouldChange(before, to)) return { ...target, version: null };
    this.#settling.recordAll();
    const after = this.#update(cause, (tx) => rollbackMemory(tx, uid, to));
    return { ...target, version: versionInfo(versionById(this.#state, formatId("memver", after.head))) };
  }
}
