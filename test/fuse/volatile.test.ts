/** Nodes that the kernel must not remember, names without nodes, and who is told of a refusal. */
import { constants } from "node:os";
import t from "tap";
import { MemfsError } from "../../lib/errors.ts";
import type { FailedRequest, Filesystem, NodeEntry, NodeRef } from "../../lib/vfs/filesystem.ts";
import { FIRST_VOLATILE_NODE } from "../../lib/vfs/filesystem.ts";
import { Opcode } from "../../daemon/fuse/kernel/abi.ts";
import { Bench, BODIES, request, u32, u64 } from "../fixtures/fuse-request.ts";
import { ATTRIBUTES, recordingFilesystem } from "../fixtures/recording-filesystem.ts";

const ROOT = { slot: 0, number: 1 };
/** The largest number there is. */
const VOLATILE: NodeEntry = { node: { slot: 3, number: 2 * FIRST_VOLATILE_NODE - 1 }, attributes: ATTRIBUTES };
const VOLATILE_ID = (3n << 48n) | ((1n << 48n) - 1n);

function ready(overrides: Partial<Filesystem> = {}) {
  const { calls, filesystem } = recordingFilesystem(overrides);
  const it = Object.assign(new Bench(filesystem), { calls });
  it.ask(Opcode.INIT, { body: BODIES.INIT });
  return it;
}

t.test("neither the name nor the attributes of a volatile node may be kept", async (t) => {
  const found = ready({ lookup: () => VOLATILE }).ask(Opcode.LOOKUP, { body: BODIES.LOOKUP }).body;
  t.strictSame(found.subarray(0, 40), Buffer.concat([u64(VOLATILE_ID, 0n, 0n, 0n), u32(0, 0)]));
  const asked = ready().ask(Opcode.GETATTR, { node: VOLATILE_ID, body: BODIES.GETATTR }).body;
  t.strictSame(asked.subarray(0, 24), u64(0n, 0n, VOLATILE_ID));
  const last = { slot: 0, number: FIRST_VOLATILE_NODE - 1 };
  const stored = ready({ lookup: () => ({ node: last, attributes: ATTRIBUTES }) });
  t.not(stored.ask(Opcode.LOOKUP, { body: BODIES.LOOKUP }).body.readBigUInt64LE(16), 0n, "a stored one may");
});

t.test("a listing that is not to be kept", async (t) => {
  const opened = () => ({ fhHigh: 0, fhLow: 1, keepCache: false, directIo: true, noFlush: false });
  const { body } = ready({ opendir: opened }).ask(Opcode.OPENDIR, { body: BODIES.OPENDIR });
  t.equal(body.readUInt32LE(8), 0);
});

t.test("an entry without attributes is a name only: the kernel makes no node of it", async (t) => {
  const readdir: Filesystem["readdir"] = (_caller, _node, _handle, _cookie, sink) =>
    void sink.add(Buffer.from("a"), 1, VOLATILE.node, 0o100644, null);
  const { body } = ready({ readdir }).ask(Opcode.READDIRPLUS, { body: BODIES.READDIRPLUS });
  t.equal(body.readBigUInt64LE(0), 0n);
  t.equal(body.readBigUInt64LE(128), VOLATILE_ID, "the inode number to show");
});

t.test("the filesystem is told of what it refused, with the name", async (t) => {
  const error = new MemfsError("read_only", "no");
  const refuse = (): never => {
    throw error;
  };
  const told: { node: NodeRef; error: unknown; request: FailedRequest }[] = [];
  const failed: Filesystem["failed"] = (node, why, request) => void told.push({ node, error: why, request: request() });
  for (const [opcode, operation, name] of [
    ["MKDIR", "mkdir", "name"],
    ["MKNOD", "mknod", "name"],
    ["SYMLINK", "symlink", "name"],
    ["UNLINK", "unlink", "name"],
    ["RMDIR", "rmdir", "name"],
    ["LINK", "link", "name"],
    ["CREATE", "create", "name"],
    ["RENAME", "rename", "old"],
    ["RENAME2", "rename", "old"],
    ["WRITE", "write", null],
  ] as const) {
    const it = ready({ [operation]: refuse, failed });
    t.equal(it.ask(Opcode[opcode], { body: BODIES[opcode] }).errno, constants.errno.EROFS);
    const request = { operation, name: name === null ? null : Buffer.from(name) };
    t.strictSame(told.pop(), { node: ROOT, error, request }, opcode);
  }
  const later = ready({ fsync: () => Promise.reject(error), failed });
  later.feed(request(Opcode.FSYNC, { body: BODIES.FSYNC }));
  await new Promise((resolve) => setImmediate(resolve));
  t.match(told.pop(), { error, request: { operation: "fsync", name: null } });
  ready({ failed }).ask(Opcode.MKDIR, { body: BODIES.MKDIR });
  t.strictSame(told, [], "only of refusals");
});

t.test("a filesystem that fails to hear of a failure still answers once", async (t) => {
  const bug = (): never => {
    throw new TypeError("a bug");
  };
  const it = ready({ unlink: bug, failed: bug });
  it.replies.length = 0;
  t.equal(it.ask(Opcode.UNLINK, { body: BODIES.UNLINK }).errno, constants.errno.EIO);
  t.equal(it.replies.length, 1);
});
