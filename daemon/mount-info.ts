/** A mount as others see it, and as the home remembers it. */

import type { DriverName } from "./drivers.ts";
import type { MountRights } from "./mount-rights.ts";

export type Access = "ro" | "rw";

/** A moment of a store that a mount shows. */
export interface MountedMoment {
  /** As it was asked for. */
  readonly when: string;
  /** The last journal entry that is seen, and its time in microseconds since the epoch. */
  readonly seq: number;
  readonly time: number;
}

/** A store in a mount. */
export interface MountedStore {
  readonly id: string;
  readonly access: Access;
  /** Its directory below the mountpoint; null when the mountpoint is the store. */
  readonly directory: string | null;
  /** Absent: it is shown as it is. */
  readonly at?: MountedMoment | undefined;
}

/** What a mount is, from its beginning to its end. */
export interface MountInfo extends MountRights {
  readonly id: string;
  readonly mountpoint: string;
  readonly agent: string;
  readonly sessionId: string;
  readonly driver: DriverName;
  /** Microseconds since the epoch. */
  readonly createdAt: number;
  readonly stores: readonly MountedStore[];
  /** The next daemon of the home mounts it again. */
  readonly persist: boolean;
}

/** A mount, and why it is not there at the moment; null when it is. */
export interface ListedMount extends MountInfo {
  readonly problem: string | null;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string" && value !== "";
const isFlag: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

const OWNER: Readonly<Record<string, Check>> = { uid: isCount, gid: isCount };
const MOMENT: Readonly<Record<keyof MountedMoment, Check>> = { when: isText, seq: isCount, time: isCount };
const STORE: Readonly<Record<keyof MountedStore, Check>> = {
  id: isText,
  access: (value) => value === "ro" || value === "rw",
  directory: (value) => value === null || isText(value),
  at: (value) => value === undefined || has(value, MOMENT),
};
const FIELDS: Readonly<Record<keyof MountInfo, Check>> = {
  id: isText,
  mountpoint: isText,
  agent: isText,
  sessionId: isText,
  driver: (value) => value === "kernel" || value === "native",
  createdAt: isCount,
  stores: (value) => Array.isArray(value) && value.length > 0 && value.every((store) => has(store, STORE)),
  persist: isFlag,
  owner: (value) => has(value, OWNER),
  posixOwner: isFlag,
  allowOther: isFlag,
  suid: isFlag,
  dev: isFlag,
};

/** Whether a value read from the home is a whole mount. */
export function isMountInfo(value: unknown): value is MountInfo {
  return has(value, FIELDS);
}

function has(value: unknown, fields: Readonly<Record<string, Check>>): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));
}
