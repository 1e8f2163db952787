/**
 * The C half of the package fuse-native, without its JavaScript half. That one answers a slow handler with ETIMEDOUT,
 * lets exceptions escape, unmounts through a shell, drops the descriptor of `fstat` and the modification time of
 * `utimens`, and hides the flags of `create`. So this folder gives the addon handlers of its own.
 *
 * What is said here of the addon was read in, and tried with, exactly {@link VERSION}.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { MemfsError } from "../../../lib/errors.ts";

const PACKAGE = "fuse-native";
const VERSION = "2.2.6";

/** How the library is installed where memfs runs. */
const LIBRARY_ADVICE = "install libfuse 2 (Debian: apt-get install libfuse2 fuse3), or use the kernel driver";

/** Operation names by the addon's number. */
export const OPERATION_NAMES = [
  ...(["init", "error", "access", "statfs", "fgetattr", "getattr", "flush", "fsync", "fsyncdir", "readdir"] as const),
  ...(["truncate", "ftruncate", "utimens", "readlink", "chown", "chmod", "mknod", "setxattr", "getxattr"] as const),
  ...(["listxattr", "removexattr", "open", "opendir", "read", "write", "release", "releasedir", "create"] as const),
  ...(["unlink", "rename", "link", "symlink", "mkdir", "rmdir"] as const),
];

export type OperationName = (typeof OPERATION_NAMES)[number];

/** Slots of the addon's table of handlers; a few are never used. */
const TABLE_SIZE = 35;

/** A worker thread's record. The same object for each request of the thread, so it also names the thread. */
export type Worker = Buffer;

/** Called on the main thread for each request; the worker sleeps until it is answered. */
export type Handler = (worker: Worker, operation: number, ...args: unknown[]) => void;

/** What a mount needs of the addon. */
export interface MountCall {
  readonly mountpoint: string;
  /** `-o…`, at most 1,023 bytes. */
  readonly options: string;
  readonly handlers: ReadonlyMap<OperationName, Handler>;
}

/** The addon, typed. */
export interface Addon {
  /** Mounts, and starts the threads. Blocks for the mount(2). @throws Error when libfuse refuses; it says why on stderr */
  mount(call: MountCall): MountedThreads;
  /**
   * Answers a request: `result` is what the operation returns to libfuse (negated errno, or 0, or a number of bytes),
   * the rest is what the operation's C code reads. Without exactly those the worker would sleep for ever.
   */
  answer(name: OperationName, worker: Worker, result: number, results: readonly unknown[]): void;
}

/** The threads of one mount. */
export interface MountedThreads {
  /** The event loop need not live on for this mount. */
  release(): void;
}

interface Binding {
  readonly sizeof_fuse_thread_t: number;
  fuse_native_mount(
    mountpoint: string,
    options: string,
    thread: Buffer,
    self: object,
    allocate: (size: number) => Buffer,
    handlers: readonly (Handler | undefined)[],
    implemented: Uint32Array,
  ): void;
  fuse_native_unmount(mountpoint: string, thread: Buffer): void;
}

type Signal = (worker: Worker, result: number, ...results: readonly unknown[]) => void;

/**
 * Memory that C threads and event loop handles point into. They may do so after the mount is gone, and the addon does
 * not tell when they stop: it is kept for good, about 2 KiB for each mount and 400 bytes for each thread.
 */
const forever: Buffer[] = [];

function keep(size: number): Buffer {
  const memory = Buffer.alloc(size);
  forever.push(memory);
  return memory;
}

let loaded: Addon | null = null;

/**
 * Loads the addon on first use.
 * @throws MemfsError `fuse_unavailable` saying what to install
 */
export function loadAddon(): Addon {
  loaded ??= bind(loadBinding());
  return loaded;
}

function loadBinding(): Binding {
  const require = createRequire(import.meta.url);
  let manifest: string;
  try {
    manifest = require.resolve(`${PACKAGE}/package.json`);
  } catch (cause) {
    throw unavailable(`the package ${PACKAGE} is not installed; run npm install ${PACKAGE}@${VERSION}`, cause);
  }
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  if (version !== VERSION)
    throw unavailable(`${PACKAGE} ${version} is installed; run npm install ${PACKAGE}@${VERSION}`);
  const directory = dirname(manifest);
  try {
    const load = createRequire(manifest)("node-gyp-build") as (directory: string) => Binding;
    return load(directory);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ERR_DLOPEN_FAILED";
    const reason = missing ? "libfuse.so.2 cannot be loaded" : `${PACKAGE} has nothing built for this host`;
    const advice = missing ? LIBRARY_ADVICE : "rebuild it with a C compiler (npm rebuild), or use the kernel driver";
    throw unavailable(`${reason}; ${advice}`, cause);
  }
}

function unavailable(message: string, cause?: unknown): MemfsError {
  return new MemfsError("fuse_unavailable", message, { cause });
}

function bind(binding: Binding): Addon {
  const functions = binding as unknown as Readonly<Record<string, Signal>>;
  const signals = new Map(OPERATION_NAMES.map((name) => [name, functions[`fuse_native_signal_${name}`]]));
  return {
    mount({ mountpoint, options, handlers }) {
      const thread = keep(binding.sizeof_fuse_thread_t);
      const table = OPERATION_NAMES.map((name) => handlers.get(name));
      const implemented = new Uint32Array(TABLE_SIZE);
      table.forEach((handler, number) => (implemented[number] = handler === undefined ? 0 : 1));
      binding.fuse_native_mount(mountpoint, options, thread, {}, keep, table, implemented);
      return { release: () => binding.fuse_native_unmount(mountpoint, thread) };
    },
    answer(name, worker, result, results) {
      signals.get(name)?.(worker, result, ...results);
    },
  };
}
