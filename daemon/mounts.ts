/** The mounts of this daemon: attach, detach, and who uses what. */

import type { Clock } from "../lib/clock.ts";
import { MemfsError } from "../lib/errors.ts";
import { formatId, type IdSource } from "../lib/id.ts";
import type { Logger } from "../lib/log.ts";
import type { Catalogue } from "../lib/store/catalogue.ts";
import type { Actor } from "../lib/store/types.ts";
import type { LiveStores } from "../lib/vfs/live-stores.ts";
import { Mount, type MountOptions } from "../lib/vfs/mount.ts";
import type { DriverName, Drivers } from "./drivers.ts";
import type { Attachment } from "./fuse/driver.ts";
import { checksModes, grantRights, type Owner, type RightsRequest } from "./mount-rights.ts";
import type { ListedMount, MountInfo } from "./mount-info.ts";
import { findStores, makeStores, requireStores, sourceOf, type StoreRequest } from "./mount-stores.ts";
import type { MountTable } from "./mount-table.ts";
import { prepareMountpoint } from "./mountpoint.ts";
import { describeUsers } from "./users.ts";

/** What to mount. */
export interface AttachRequest extends StoreRequest, RightsRequest {
  readonly mountpoint: string;
  readonly agent: string;
  readonly sessionId: string | null;
  /** The next daemon of the home mounts it again. */
  readonly persist: boolean;
  readonly driver: DriverName;
  /** Who asks; the actor behind stores that are made. */
  readonly actor: Actor;
}

/** Why a mount is not there that was to stay. */
const TAKEN_AWAY = "somebody has unmounted it; bring it back with: memfs daemon restart";

interface Mounted {
  readonly info: MountInfo;
  readonly attachment: Attachment;
  readonly filesystem: Mount;
  /** Somebody has asked memfs to unmount it, so it is not to come back. */
  leaving: boolean;
  /** Set when the mount is over: everybody who notices waits for the same clearing up. */
  forgetting: Promise<void> | null;
}

export interface MountsOptions {
  readonly catalogue: Catalogue;
  readonly live: LiveStores;
  readonly drivers: Pick<Drivers, "get" | "protocol">;
  /** Tells when requests have to wait for the storage. */
  readonly door: MountOptions["door"];
  readonly table: MountTable;
  /** Directory of the home: nothing is mounted over it or in it. */
  readonly home: string;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Logger;
  /** The daemon's own user: owner of the mounts unless root says otherwise. */
  readonly user: Owner;
}

export class Mounts {
  readonly #options: MountsOptions;
  readonly #mounted = new Map<string, Mounted>();
  /** Those that are to come back and could not, or were taken away by others. */
  readonly #absent = new Map<string, ListedMount>();
  /** Tells the handles of this daemon from those of one before it. */
  readonly #generation: number;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: MountsOptions) {
    this.#options = options;
    this.#generation = randomPart(options.ids).readUInt32BE(0) >>> 2;
  }

  /** Oldest first; also those that should be there and are not. */
  list(): readonly ListedMount[] {
    const mounted = [...this.#mounted.values()].map(({ info }): ListedMount => ({ ...info, problem: null }));
    return [...this.#absent.values(), ...mounted].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** Those that are there, with what they show. */
  filesystems(): readonly { readonly info: MountInfo; readonly filesystem: Mount }[] {
    return [...this.#mounted.values()];
  }

  /** Mountpoints that a daemon before this one left dead, and that were free of it when this one started. */
  get cleared(): readonly string[] {
    return this.#options.table.cleared;
  }

  /** See {@link Drivers.protocol}. */
  get protocol(): string | null {
    return this.#options.drivers.protocol;
  }

  /**
   * Mounts; when it throws, nothing was mounted and no store was made.
   * @throws MemfsError `invalid_argument`, `not_found`, `ambiguous`, `archived`, `not_permitted`, `access_denied`, the `mountpoint_*`
   * codes, `fuse_unavailable`
   */
  attach(request: AttachRequest): Promise<MountInfo> {
    return this.#inTurn(() => this.#attach(request));
  }

  /** Mounts again what a daemon before this one had and was to keep. What cannot be is logged, listed and kept. */
  async restore(mounts: readonly MountInfo[]): Promise<void> {
    for (const info of mounts) await this.#inTurn(() => this.#restore(info));
  }

  /**
   * Unmounts, and forgets one that was to come back. `force` takes the mount away under its users, after their drafts are committed.
   * @throws MemfsError `not_found`; `mountpoint_busy` naming the processes
   */
  detach(id: string, options: { readonly force: boolean }): Promise<void> {
    return this.#inTurn(() => (this.#absent.has(id) ? this.#forgetAbsent(id) : this.#detach(this.#find(id), options)));
  }

  /**
   * Deletes a store that no mount shows.
   * @throws MemfsError `not_found`; `busy` naming a mountpoint
   */
  async removeStore(id: string): Promise<void> {
    const { catalogue } = this.#options;
    // In turn, so that no mount is on its way meanwhile. Only the beginning is waited for: from its first moment on
    // whoever mounts next does not find the store.
    const { removed } = await this.#inTurn(async () => {
      this.#refuseMounted(id);
      return { removed: catalogue.remove(id) };
    });
    await removed;
  }

  /** Takes every mount away, drafts committed. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    await Promise.all([...this.#mounted.values()].map((mounted) => this.#cutOff(mounted)));
  }

  #refuseMounted(storeId: string): void {
    const mounts = [...this.#mounted.values()].map(({ info }) => info);
    const mount = mounts.find(({ stores }) => stores.some(({ id }) => id === storeId));
    if (mount === undefined) return;
    const { name } = this.#options.catalogue.find(storeId);
    const { mountpoint: place } = mount;
    throw new MemfsError(
      "busy",
      `the store ${name} is mounted at ${place}; unmount it first with: memfs umount ${place}`,
    );
  }

  /** Mountpoints are checked and taken one at a time, so that two requests never find the same directory free. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#closed) throw new MemfsError("closed", "the daemon is stopping; try again");
      return work();
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #attach(request: AttachRequest): Promise<MountInfo> {
    const { drivers, table, clock, ids, log, user } = this.#options;
    checkIdentity(request);
    const rights = grantRights(request, user);
    const driver = await drivers.get(request.driver, rights);
    const wanted = await findStores(this.#options.catalogue, request, clock);
    const mountpoint = await this.#prepare(request.mountpoint);
    this.#refuseKept(mountpoint);
    const { stores, undo } = await makeStores(this.#options.catalogue, wanted, request.actor);
    const info: MountInfo = Object.freeze({
      ...rights,
      id: formatId("mount", ids.uid()),
      mountpoint,
      agent: request.agent,
      sessionId: request.sessionId ?? formatId("sesn", ids.uid()),
      driver: driver.name,
      createdAt: clock.now(),
      persist: request.persist,
      stores,
    });
    try {
      await this.#serve(info);
    } catch (error) {
      await table.remove(info.id);
      await undo();
      throw error;
    }
    log.info("mounted", { mountpoint, id: info.id, stores: stores.length, session: info.sessionId });
    return info;
  }

  async #restore(info: MountInfo): Promise<void> {
    const { catalogue, log } = this.#options;
    const { id, mountpoint } = info;
    try {
      requireStores(catalogue, info.stores);
      const real = await this.#prepare(mountpoint);
      if (real !== mountpoint) throw new MemfsError("mountpoint_unusable", `${mountpoint} leads to ${real} now`);
      grantRights(info, this.#options.user);
      await this.#serve(info);
      log.info("mounted again", { mountpoint, id, session: info.sessionId });
    } catch (error) {
      const problem = error instanceof MemfsError ? error.message : "an unexpected error; see the log of the daemon";
      this.#absent.set(id, { ...info, problem });
      log.warn("a mount could not be restored", { mountpoint, id, error: problem });
      if (!(error instanceof MemfsError)) log.error("restoring failed", { id, error: String((error as Error).stack) });
    }
  }

  #prepare(mountpoint: string): Promise<string> {
    const { home, log } = this.#options;
    const mounted = [...this.#mounted.values()].map(({ info }) => info.mountpoint);
    return prepareMountpoint(mountpoint, { home, mounted, log });
  }

  #refuseKept(mountpoint: string): void {
    const kept = [...this.#absent.values()].find((mount) => mount.mountpoint === mountpoint);
    if (kept === undefined) return;
    const advice = `bring it back with memfs daemon restart, or forget it with: memfs umount ${mountpoint}`;
    throw new MemfsError("mountpoint_busy", `${mountpoint} is kept for a mount that is not there; ${advice}`);
  }

  /** In the table first: the next daemon must know of it whatever happens to this one. */
  async #serve(info: MountInfo): Promise<void> {
    await this.#options.table.add(info);
    const mount = await this.#mount(info);
    this.#mounted.set(info.id, mount);
    // Also when somebody unmounts by hand, or the connection is aborted.
    void mount.attachment.ended.then(() => this.#forget(mount));
    await this.#journal("mount.attached", info);
  }

  async #mount(info: MountInfo): Promise<Mounted> {
    const { catalogue, drivers, live, ids, door } = this.#options;
    const { agent, sessionId, owner, posixOwner, allowOther, suid, dev } = info;
    const identity = {
      ...{ agent, sessionId, uid: owner.uid, gid: owner.gid, posixOwner, generation: this.#generation },
      connection: randomPart(ids).readUIntBE(0, 6),
    };
    const mountedStores = await Promise.all(
      info.stores.map(async ({ id, access, directory, at }) => {
        return { live: await live.open(id), access, directory, at: at?.seq };
      }),
    );
    let filesystem: Mount | undefined;
    const driver = await drivers.get(info.driver, info);
    const attachment = await driver.attach({
      mountpoint: info.mountpoint,
      source: `memfs:${info.stores.map(({ id, at }) => sourceOf(catalogue.find(id).slug, at ?? null)).join(",")}`,
      // A kernel that refused by itself would keep refusals from the journal; the filesystem says EROFS as well. Those
      // of the past are in no journal.
      readOnly: info.stores.every(({ at }) => at !== undefined),
      ...{ allowOther, suid, dev },
      defaultPermissions: checksModes(info),
      uid: owner.uid,
      gid: owner.gid,
      filesystem: (invalidator) => (filesystem = new Mount({ stores: mountedStores, identity, invalidator, door })),
    });
    if (filesystem === undefined)
      throw new MemfsError("internal", "the driver attached without a filesystem; report it");
    return { info, attachment, filesystem, leaving: false, forgetting: null };
  }

  async #detach(mounted: Mounted, { force }: { readonly force: boolean }): Promise<void> {
    const { info, attachment } = mounted;
    if (force) await this.#commitDrafts(mounted);
    mounted.leaving = true;
    try {
      await attachment.detach({ lazy: force });
    } catch (error) {
      mounted.leaving = false;
      if (!(error instanceof MemfsError) || error.code !== "mountpoint_busy") throw error;
      const who = await describeUsers(info.mountpoint);
      const message = `${info.mountpoint} is used by ${who}; close that, or use --force`;
      throw new MemfsError("mountpoint_busy", message, { cause: error });
    }
    mounted.filesystem.endLocks();
    // A lazy detach is over for whoever asked, although the kernel lets go only when the last file is closed.
    await this.#forget(mounted);
  }

  /** The driver ends what is still open afterwards, when it is closed. */
  async #cutOff(mounted: Mounted): Promise<void> {
    const { info, attachment } = mounted;
    await this.#commitDrafts(mounted);
    try {
      await attachment.detach({ lazy: true });
    } catch (error) {
      this.#options.log.error("unmounting failed", { mountpoint: info.mountpoint, error: String(error) });
    }
    mounted.filesystem.endLocks();
    await this.#forget(mounted);
  }

  async #commitDrafts({ info, filesystem }: Mounted): Promise<void> {
    const failed = await filesystem.commitAll();
    if (failed > 0) this.#options.log.error("drafts could not be stored", { mountpoint: info.mountpoint, failed });
  }

  /** Never rejects. */
  #forget(mounted: Mounted): Promise<void> {
    mounted.forgetting ??= this.#forgetOnce(mounted);
    return mounted.forgetting;
  }

  async #forgetOnce({ info, leaving }: Mounted): Promise<void> {
    const { log } = this.#options;
    await this.#journal("mount.detached", info);
    // What somebody else unmounts may be a host that shuts down: that must not undo a wish.
    if (!info.persist || leaving) await this.#strike(info.id);
    else if (!this.#closed) this.#absent.set(info.id, { ...info, problem: TAKEN_AWAY });
    // Last, so that whoever closes finds it and waits.
    this.#mounted.delete(info.id);
    log.info("unmounted", { mountpoint: info.mountpoint, id: info.id });
  }

  async #forgetAbsent(id: string): Promise<void> {
    this.#absent.delete(id);
    await this.#strike(id);
  }

  /** Takes a mount out of the table. Never rejects. */
  #strike(id: string): Promise<void> {
    const { table, log } = this.#options;
    return table.remove(id).catch((error: unknown) => {
      log.warn("the mount table could not be written", { error: String(error) });
    });
  }

  async #journal(kind: "mount.attached" | "mount.detached", info: MountInfo): Promise<void> {
    const { catalogue, log } = this.#options;
    const actor: Actor = { type: "session", sessionId: info.sessionId, agent: info.agent };
    for (const { id, access, at } of info.stores) {
      // What is archived does not change any more.
      if (at !== undefined && catalogue.find(id).archivedAt !== null) continue;
      try {
        const detail = {
          mount_id: info.id,
          mountpoint: info.mountpoint,
          access,
          ...(at === undefined ? {} : { at: at.seq }),
          uid: info.owner.uid,
          gid: info.owner.gid,
        };
        (await catalogue.open(id)).record(kind, detail, { actor });
      } catch (error) {
        log.error("could not journal", { kind, store: id, error: String(error) });
      }
    }
  }

  #find(id: string): Mounted {
    const mounted = this.#mounted.get(id);
    if (mounted === undefined) throw new MemfsError("not_found", `there is no mount ${id}; see: memfs mounts`);
    return mounted;
  }
}

/** 10 random bytes: what follows the time in an id. */
function randomPart(ids: IdSource): Buffer {
  return Buffer.from(ids.uid(), "latin1").subarray(6);
}

/** @throws MemfsError `invalid_argument` */
function checkIdentity({ agent, sessionId }: AttachRequest): void {
  const names = { agent, session: sessionId };
  for (const [what, name] of Object.entries(names)) {
    if (name !== null && (name === "" || Buffer.byteLength(name) > 255 || /\p{Cc}/u.test(name))) {
      throw new MemfsError(
        "invalid_argument",
        `the ${what} must be 1 to 255 bytes without control characters; change it`,
      );
    }
  }
}
