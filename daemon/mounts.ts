/** The mounts of this daemon: attach, detach, and who uses what. */

import type { Clock } from "../lib/clock.ts";
import { MemfsError } from "../lib/errors.ts";
import { formatId, type IdSource } from "../lib/id.ts";
import type { Logger } from "../lib/log.ts";
import type { Catalogue } from "../lib/store/catalogue.ts";
import type { Actor } from "../lib/store/types.ts";
import type { LiveStores } from "../lib/vfs/live-stores.ts";
import { Mount, type MountOptions } from "../lib/vfs/mount.ts";
import type { Attachment, Driver } from "./fuse/driver.ts";
import { checksModes, grantRights, type MountRights, type Owner, type RightsRequest } from "./mount-rights.ts";
import { type Access, findStores, makeStores, type StoreRequest } from "./mount-stores.ts";
import type { MountTable } from "./mount-table.ts";
import { prepareMountpoint } from "./mountpoint.ts";
import { usersOf } from "./users.ts";

/** Processes named when a mount is busy. */
const NAMED_USERS = 5;

/** What to mount. */
export interface AttachRequest extends StoreRequest, RightsRequest {
  readonly mountpoint: string;
  readonly agent: string;
  readonly sessionId: string | null;
  /** Who asks; the actor behind stores that are made. */
  readonly actor: Actor;
}

/** A store in a mount. */
export interface MountedStore {
  readonly id: string;
  readonly access: Access;
  /** Its directory below the mountpoint; null when the mountpoint is the store. */
  readonly directory: string | null;
}

/** A mount as others see it. */
export interface MountInfo extends MountRights {
  readonly id: string;
  readonly mountpoint: string;
  readonly agent: string;
  readonly sessionId: string;
  readonly driver: string;
  /** Microseconds since the epoch. */
  readonly createdAt: number;
  readonly stores: readonly MountedStore[];
}

interface Mounted {
  readonly info: MountInfo;
  readonly attachment: Attachment;
  readonly filesystem: Mount;
  /** Set when the mount is over: everybody who notices waits for the same clearing up. */
  forgetting: Promise<void> | null;
}

export interface MountsOptions {
  readonly catalogue: Catalogue;
  readonly live: LiveStores;
  readonly driver: Driver;
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
  /** Tells the handles of this daemon from those of one before it. */
  readonly #generation: number;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: MountsOptions) {
    this.#options = options;
    this.#generation = randomPart(options.ids).readUInt32BE(0) >>> 2;
  }

  /** Oldest first. */
  list(): readonly MountInfo[] {
    return [...this.#mounted.values()].map(({ info }) => info);
  }

  /** @throws MemfsError `not_found` */
  get(id: string): MountInfo {
    return this.#find(id).info;
  }

  /** Mountpoints that a daemon before this one left dead, and that were free of it when this one started. */
  get cleared(): readonly string[] {
    return this.#options.table.cleared;
  }

  /**
   * Mounts; when it throws, nothing was mounted and no store was made.
   * @throws MemfsError `invalid_argument`, `not_found`, `ambiguous`, `archived`, `not_permitted`, `access_denied`, the `mountpoint_*`
   * codes, `fuse_unavailable`
   */
  attach(request: AttachRequest): Promise<MountInfo> {
    return this.#inTurn(() => this.#attach(request));
  }

  /**
   * Unmounts. `force` takes the mount away under its users, after their drafts are committed.
   * @throws MemfsError `not_found`; `mountpoint_busy` naming the processes
   */
  detach(id: string, options: { readonly force: boolean }): Promise<void> {
    return this.#inTurn(() => this.#detach(this.#find(id), options.force));
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
    const mount = this.list().find(({ stores }) => stores.some(({ id }) => id === storeId));
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
    const { driver, table, clock, ids, log, user } = this.#options;
    checkIdentity(request);
    const rights = grantRights(request, user);
    const wanted = findStores(this.#options.catalogue, request);
    const mounted = this.list().map(({ mountpoint: at }) => at);
    const mountpoint = await prepareMountpoint(request.mountpoint, { home: this.#options.home, mounted, log });
    const { stores, undo } = await makeStores(this.#options.catalogue, wanted, request.actor);
    const info: MountInfo = Object.freeze({
      ...rights,
      id: formatId("mount", ids.uid()),
      mountpoint,
      agent: request.agent,
      sessionId: request.sessionId ?? formatId("sesn", ids.uid()),
      driver: driver.name,
      createdAt: clock.now(),
      stores: stores.map(({ id, slug, access }) => ({ id, access, directory: stores.length === 1 ? null : slug })),
    });
    try {
      await table.add(info.id, mountpoint);
      const mount = await this.#mount(info, `memfs:${stores.map(({ slug }) => slug).join(",")}`);
      this.#mounted.set(info.id, mount);
      // Also when somebody unmounts by hand, or the connection is aborted.
      void mount.attachment.ended.then(() => this.#forget(mount));
    } catch (error) {
      await table.remove(info.id);
      await undo();
      throw error;
    }
    await this.#journal("mount.attached", info);
    log.info("mounted", { mountpoint, id: info.id, stores: stores.length, session: info.sessionId });
    return info;
  }

  async #mount(info: MountInfo, source: string): Promise<Mounted> {
    const { live, driver, ids, door } = this.#options;
    const { agent, sessionId, owner, posixOwner, allowOther, suid, dev } = info;
    const identity = {
      ...{ agent, sessionId, uid: owner.uid, gid: owner.gid, posixOwner, generation: this.#generation },
      connection: randomPart(ids).readUIntBE(0, 6),
    };
    const mountedStores = await Promise.all(
      info.stores.map(async ({ id, access, directory }) => ({ live: await live.open(id), access, directory })),
    );
    let filesystem: Mount | undefined;
    const attachment = await driver.attach({
      mountpoint: info.mountpoint,
      source,
      // A kernel that refused by itself would keep refusals from the journal; the filesystem says EROFS as well.
      readOnly: false,
      ...{ allowOther, suid, dev },
      defaultPermissions: checksModes(info),
      uid: owner.uid,
      gid: owner.gid,
      filesystem: (invalidator) => (filesystem = new Mount({ stores: mountedStores, identity, invalidator, door })),
    });
    if (filesystem === undefined)
      throw new MemfsError("internal", "the driver attached without a filesystem; report it");
    return { info, attachment, filesystem, forgetting: null };
  }

  async #detach(mounted: Mounted, force: boolean): Promise<void> {
    const { info, attachment } = mounted;
    if (force) this.#commitDrafts(mounted);
    try {
      await attachment.detach({ lazy: force });
    } catch (error) {
      if (!(error instanceof MemfsError) || error.code !== "mountpoint_busy") throw error;
      throw new MemfsError("mountpoint_busy", await busyMessage(info.mountpoint), { cause: error });
    }
    // A lazy detach is over for whoever asked, although the kernel lets go only when the last file is closed.
    await this.#forget(mounted);
  }

  /** The driver ends what is still open afterwards, when it is closed. */
  async #cutOff(mounted: Mounted): Promise<void> {
    const { info, attachment } = mounted;
    this.#commitDrafts(mounted);
    try {
      await attachment.detach({ lazy: true });
    } catch (error) {
      this.#options.log.error("unmounting failed", { mountpoint: info.mountpoint, error: String(error) });
    }
    await this.#forget(mounted);
  }

  #commitDrafts({ info, filesystem }: Mounted): void {
    const failed = filesystem.commitAll();
    if (failed > 0) this.#options.log.error("drafts could not be stored", { mountpoint: info.mountpoint, failed });
  }

  /** Never rejects. */
  #forget(mounted: Mounted): Promise<void> {
    mounted.forgetting ??= this.#forgetOnce(mounted.info);
    return mounted.forgetting;
  }

  async #forgetOnce(info: MountInfo): Promise<void> {
    const { table, log } = this.#options;
    await this.#journal("mount.detached", info);
    await table.remove(info.id).catch((error: unknown) => {
      log.warn("the mount table could not be written", { error: String(error) });
    });
    // Last, so that whoever closes finds it and waits.
    this.#mounted.delete(info.id);
    log.info("unmounted", { mountpoint: info.mountpoint, id: info.id });
  }

  async #journal(kind: "mount.attached" | "mount.detached", info: MountInfo): Promise<void> {
    const { catalogue, log } = this.#options;
    const actor: Actor = { type: "session", sessionId: info.sessionId, agent: info.agent };
    for (const { id, access } of info.stores) {
      try {
        const detail = {
          mount_id: info.id,
          mountpoint: info.mountpoint,
          access,
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

async function busyMessage(mountpoint: string): Promise<string> {
  const users = await usersOf(mountpoint);
  const named = users.slice(0, NAMED_USERS).map(({ pid, program, holds }) => `${program} (pid ${pid}, ${holds})`);
  if (users.length > NAMED_USERS) named.push(`${users.length - NAMED_USERS} more`);
  const who = named.length === 0 ? "a process that cannot be seen from here" : named.join(", ");
  return `${mountpoint} is used by ${who}; close that, or use --force`;
}
