import { constants } from "node:os";
import t from "tap";
import { ERRORS, MemfsError } from "../../lib/errors.ts";
import type { Filesystem } from "../../lib/vfs/filesystem.ts";
import { IN_HEADER_SIZE, Opcode } from "../../daemon/fuse/kernel/abi.ts";
import type { OpcodeName } from "../../daemon/fuse/kernel/abi.ts";
import { errnoName, errnoNumber } from "../../daemon/fuse/kernel/errno.ts";
import type { RequestFields } from "../fixtures/fuse-request.ts";
import { Bench, BODIES, request, text, u32, u64, UNANSWERED } from "../fixtures/fuse-request.ts";
import {
  ATTRIBUTES,
  ENTRY_ID,
  listing,
  OPENED,
  OPENED_FH,
  recordingFilesystem,
} from "../fixtures/recording-filesystem.ts";

const { EINVAL, EIO, ENOENT, ENOSYS, ENOTTY, EPROTO } = constants.errno;
const FOREVER = 0x7fffffffn;
const NAMES = Object.keys(BODIES) as OpcodeName[];

function bench(overrides: Partial<Filesystem> = {}) {
  const { calls, filesystem } = recordingFilesystem(overrides);
  return Object.assign(new Bench(filesystem), { calls });
}

/** A bench whose kernel has introduced itself. */
function ready(overrides: Partial<Filesystem> = {}) {
  const it = bench(overrides);
  it.ask(Opcode.INIT, { body: BODIES.INIT });
  return it;
}

/** What the filesystem was asked, without the caller. */
function asked(name: OpcodeName, fields: RequestFields = {}): unknown[] {
  const it = ready();
  const reply = it.ask(Opcode[name], { body: BODIES[name], ...fields });
  if (reply.errno !== 0) throw new Error(`${name} was refused with ${errnoName(reply.errno)}`);
  const [method, , ...rest] = it.calls[0] ?? ["nothing"];
  return [method, ...rest];
}

const ROOT = { slot: 0, number: 1 };
const NINE = { slot: 0, number: 9 };
const FH = { fhHigh: 0, fhLow: 7 };
const OWNER = { ownerHigh: 0xfedcba98, ownerLow: 0x76543210 };
const name = Buffer.from("name");

t.test("each request becomes the call it means", async (t) => {
  t.strictSame(asked("LOOKUP"), ["lookup", ROOT, name]);
  t.strictSame(asked("GETATTR"), ["getattr", ROOT, FH]);
  t.strictSame(asked("GETATTR", { body: [u32(0, 0), u64(7n)] }), ["getattr", ROOT, null]);
  t.strictSame(asked("READLINK"), ["readlink", ROOT]);
  t.strictSame(asked("SYMLINK"), ["symlink", ROOT, name, Buffer.from("target")]);
  t.strictSame(asked("MKNOD"), ["mknod", ROOT, name, 0o100644, 0]);
  t.strictSame(asked("MKDIR"), ["mkdir", ROOT, name, 0o755]);
  t.strictSame(asked("UNLINK"), ["unlink", ROOT, name]);
  t.strictSame(asked("RMDIR"), ["rmdir", ROOT, name]);
  const [from, to] = [
    { parent: ROOT, name: Buffer.from("old") },
    { parent: NINE, name: Buffer.from("new") },
  ];
  t.strictSame(asked("RENAME"), ["rename", from, to, 0]);
  t.strictSame(asked("RENAME2"), ["rename", from, to, 1]);
  t.strictSame(asked("LINK"), ["link", NINE, ROOT, name]);
  t.strictSame(asked("OPEN"), ["open", ROOT, 0o1001, true]);
  t.strictSame(asked("CREATE"), ["create", ROOT, name, 0o1101, 0o640, true]);
  t.strictSame(asked("TMPFILE"), ["tmpfile", ROOT, 0o2, 0o600]);
  t.strictSame(asked("READ"), ["read", ROOT, FH, 4096, 512]);
  t.strictSame(asked("FLUSH"), ["flush", ROOT, FH, OWNER]);
  t.strictSame(asked("RELEASE"), ["release", ROOT, FH]);
  t.strictSame(asked("FSYNC"), ["fsync", ROOT, FH, true]);
  t.strictSame(asked("OPENDIR"), ["opendir", ROOT]);
  t.strictSame(asked("RELEASEDIR"), ["releasedir", ROOT, FH]);
  t.strictSame(asked("FSYNCDIR"), ["fsyncdir", ROOT, FH]);
  t.strictSame(asked("STATFS"), ["statfs", ROOT]);
  const attribute = Buffer.from("user.x");
  t.strictSame(asked("GETXATTR"), ["getxattr", ROOT, attribute]);
  t.strictSame(asked("SETXATTR"), ["setxattr", ROOT, attribute, Buffer.from("v"), 0]);
  t.strictSame(asked("LISTXATTR"), ["listxattr", ROOT]);
  t.strictSame(asked("REMOVEXATTR"), ["removexattr", ROOT, attribute]);
});

t.test("a WRITE carries its data, its open flags and who may keep privileges", async (t) => {
  const flags = { open: 0o2001, writeback: true, killPrivileges: true };
  t.strictSame(asked("WRITE"), ["write", ROOT, FH, 4096, Buffer.from("hello"), flags]);
  t.strictSame(ready().ask(Opcode.WRITE, { body: BODIES.WRITE }).body, u32(5, 0));
});

t.test("the caller is who the header says", async (t) => {
  const it = ready();
  it.ask(Opcode.LOOKUP, { unique: 0x8000000100000002n, body: BODIES.LOOKUP });
  const caller = { uid: 1000, gid: 100, pid: 4242, uniqueHigh: 0x80000001, uniqueLow: 2 };
  t.match(it.calls[0]?.[1], caller);
});

t.test("node ids and offsets keep all their bits", async (t) => {
  const node = (0x7fffn << 48n) | 0xffffffffffffn;
  t.strictSame(asked("GETATTR", { node }), ["getattr", { slot: 0x7fff, number: 2 ** 48 - 1 }, FH]);
  const body = [u64(0xfffffffffffffffen, 2n ** 52n + 1n), u32(1, 0), u64(0n), u32(0, 0)];
  const handle = { fhHigh: 0xffffffff, fhLow: 0xfffffffe };
  t.strictSame(asked("READ", { body }), ["read", ROOT, handle, 2 ** 52 + 1, 1]);
  const reply = ready().ask(Opcode.GETATTR, { node, body: BODIES.GETATTR });
  t.equal(reply.body.readBigUInt64LE(16), node);
});

t.test("SETATTR passes on exactly the fields it marks", async (t) => {
  const setattr = (valid: number): unknown =>
    asked("SETATTR", { body: [u32(valid), ...BODIES.SETATTR.map((part, index) => (index === 0 ? u32(0) : part))] })[3];
  t.strictSame(setattr(0), {});
  t.strictSame(setattr(1 << 0), { mode: 0o640 });
  t.strictSame(setattr(1 << 1), { uid: 5 });
  t.strictSame(setattr(1 << 2), { gid: 6 });
  t.strictSame(setattr(1 << 3), { size: 4096 });
  t.strictSame(setattr(1 << 4), { atime: { sec: 10, nsec: 1 } });
  t.strictSame(setattr(1 << 5), { mtime: { sec: 20, nsec: 2 } });
  t.strictSame(setattr((1 << 4) | (1 << 7)), { atime: "now" });
  t.strictSame(setattr((1 << 5) | (1 << 8)), { mtime: "now" });
  t.strictSame(setattr(1 << 11), { killPrivileges: true });
  t.strictSame(asked("SETATTR")[2], FH);
});

t.test("a time before the epoch stays one", async (t) => {
  const body = [u32(1 << 5, 0), u64(0n, 0n, 0n, 0n, -3n, 0n), u32(0, 5, 0, 0, 0, 0, 0, 0)];
  t.strictSame(asked("SETATTR", { body })[3], { mtime: { sec: -3, nsec: 5 } });
});

t.test("an entry is believed for ever, and so is that a name is absent", async (t) => {
  const { body } = ready().ask(Opcode.LOOKUP, { body: BODIES.LOOKUP });
  t.equal(body.length, 128);
  t.strictSame(body.subarray(0, 40), Buffer.concat([u64(ENTRY_ID, 0n, FOREVER, FOREVER), u32(0, 0)]));
  t.strictSame(body.subarray(40, 88), u64(ENTRY_ID, 5_000_000_000n, 9_765_625n, 1_700_000_001n, -1n, 5_000_000_000n));
  t.strictSame(body.subarray(88), u32(1, 2, 999_999_999, 0o100640, 2, 1000, 100, 0, 4096, 0));
  const absent = ready({ lookup: () => null }).ask(Opcode.LOOKUP, { body: BODIES.LOOKUP });
  t.equal(absent.errno, 0);
  t.strictSame(absent.body, Buffer.concat([u64(0n, 0n, FOREVER, 0n), Buffer.alloc(96)]));
});

t.test("open answers carry the handle and what the kernel may keep", async (t) => {
  const flags = (keepCache: boolean, directIo: boolean, opcode: "OPEN" | "OPENDIR"): number => {
    const opened = () => ({ fhHigh: 0x80000001, fhLow: 0xfffffffe, keepCache, directIo, noFlush: false });
    const { body } = ready({ open: opened, opendir: opened }).ask(Opcode[opcode], { body: BODIES[opcode] });
    t.equal(body.readBigUInt64LE(0), OPENED_FH);
    return body.readUInt32LE(8);
  };
  t.equal(flags(false, false, "OPEN"), 0);
  t.equal(flags(false, true, "OPEN"), 1);
  t.equal(flags(true, false, "OPEN"), 2);
  const reading = ready({ open: () => Promise.resolve({ ...OPENED, noFlush: true }) });
  reading.feed(request(Opcode.OPEN, { body: [u32(0o100000, 0)] }));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(reading.replies.at(-1)?.body.readUInt32LE(8), 2 | 32, "a handle that only reads needs no FLUSH");
  t.equal(flags(true, false, "OPENDIR"), 2 | 8);
  t.equal(flags(false, false, "OPENDIR"), 8);
  const created = ready().ask(Opcode.CREATE, { body: BODIES.CREATE });
  t.equal(created.body.length, 144);
  t.equal(created.body.readBigUInt64LE(128), OPENED_FH);
});

t.test("statistics have their places", async (t) => {
  const { body } = ready().ask(Opcode.STATFS);
  t.strictSame(body.subarray(0, 56), Buffer.concat([u64(2n ** 33n, 9n, 9n, 8n, 7n), u32(4096, 255, 4096, 0)]));
  t.equal(body.length, 80);
});

t.test("a listing stops where the reply is full and goes on from the cookie", async (t) => {
  const readdir = listing([".", "..", "a", "longer-name", "z".repeat(255)]);
  const list = (opcode: number, cookie: bigint, size: number): Buffer =>
    ready({ readdir }).ask(opcode, { body: [u64(7n, cookie), u32(size, 0), u64(0n), u32(0, 0)] }).body;
  const first = list(Opcode.READDIR, 0n, 80);
  t.equal(first.length, 64, "two entries of 32 bytes, no room for a third");
  t.strictSame(first.subarray(32), Buffer.concat([u64(ENTRY_ID, 2n), u32(2, 8), Buffer.from("..\0\0\0\0\0\0")]));
  t.equal(list(Opcode.READDIR, 2n, 4096).length, 32 + 40 + 280);
  t.equal(list(Opcode.READDIR, 5n, 4096).length, 0, "the end is an empty answer");
  const plus = list(Opcode.READDIRPLUS, 0n, 4096);
  t.equal(plus.readBigUInt64LE(0), 0n, "`.` is no lookup");
  t.equal(plus.readBigUInt64LE(160), 0n, "nor is `..`");
  t.equal(plus.readBigUInt64LE(320), ENTRY_ID);
  t.strictSame(plus.subarray(448, 480), Buffer.concat([u64(ENTRY_ID, 3n), u32(1, 8), text("a"), Buffer.alloc(6)]));
});

t.test("what the filesystem throws or rejects with becomes its errno", async (t) => {
  for (const code of ["not_found", "exists", "read_only", "not_empty", "file_too_big"] as const) {
    const expected = errnoNumber(ERRORS[code].errno);
    const refuse = (): never => {
      throw new MemfsError(code, "no");
    };
    t.equal(ready({ mkdir: refuse }).ask(Opcode.MKDIR, { body: BODIES.MKDIR }).errno, expected, code);
    const later = ready({ mkdir: () => Promise.reject(new MemfsError(code, "no")) });
    later.feed(request(Opcode.MKDIR, { body: BODIES.MKDIR }));
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(later.replies.at(-1)?.errno, expected, `${code}, later`);
  }
});

t.test("every errno of the error table is known here", async (t) => {
  for (const { errno } of Object.values(ERRORS)) t.ok(errno in constants.errno, errno);
  t.equal(errnoName(ENOENT), "ENOENT");
  t.equal(errnoName(99999), "errno 99999");
});

t.test("a bug is logged with its operation and answered with EIO", async (t) => {
  const bug = (): never => {
    throw new TypeError("a bug");
  };
  const it = ready({ unlink: bug });
  t.equal(it.ask(Opcode.UNLINK, { body: BODIES.UNLINK }).errno, EIO);
  t.match(it.logged.at(-1), { level: "error", fields: { operation: "UNLINK", cause: /a bug/ } });
  const overlong = ready({ read: () => Buffer.alloc(2 ** 21) });
  t.equal(overlong.ask(Opcode.READ, { body: BODIES.READ }).errno, EIO, "an answer that cannot be sent");
});

t.test("an answer that waits is sent once, when it comes, whatever came between", async (t) => {
  let answer: (size: number) => void = () => undefined;
  const it = ready({ write: () => new Promise((resolve) => (answer = resolve)) });
  it.replies.length = 0;
  it.feed(request(Opcode.WRITE, { unique: 10n, body: BODIES.WRITE }));
  t.equal(it.dispatcher.waiting, 1);
  it.feed(request(Opcode.GETATTR, { unique: 12n, body: BODIES.GETATTR }));
  t.strictSame(
    it.replies.map((reply) => reply.unique),
    [12n],
  );
  answer(5);
  await new Promise((resolve) => setImmediate(resolve));
  t.match(it.replies.at(-1), { unique: 10n, errno: 0, body: u32(5, 0) });
  t.equal(it.replies.length, 2);
  t.equal(it.dispatcher.waiting, 0);
  t.equal(it.settled, 1);
});

t.test("a listing that waits keeps its own memory", async (t) => {
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const it = ready({
    async readdir(...values) {
      await listing(["first"])(...values);
      await gate;
    },
  });
  it.replies.length = 0;
  it.feed(request(Opcode.READDIR, { unique: 10n, body: BODIES.READDIR }));
  it.feed(request(Opcode.READ, { unique: 12n, body: BODIES.READ }));
  go();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(it.replies.at(-1)?.body.subarray(24, 29).toString(), "first");
});

t.test("opcodes that are not served are refused so that the kernel remembers", async (t) => {
  const it = ready();
  for (const name of ["ACCESS"] as const) {
    t.equal(it.ask(Opcode[name], { body: BODIES[name] }).errno, ENOSYS, name);
  }
  t.equal(it.ask(Opcode.IOCTL, { body: BODIES.IOCTL }).errno, ENOTTY);
  t.equal(it.ask(999).errno, ENOSYS);
  t.equal(it.ask(0xffffffff).errno, ENOSYS);
  t.equal(it.ask(Opcode.DESTROY).errno, 0);
  const whiteout = [u64(9n), u32(4, 0), text("old"), text("new")];
  t.equal(it.ask(Opcode.RENAME2, { body: whiteout }).errno, EINVAL);
  t.equal(it.ask(Opcode.RENAME2, { body: [u64(9n), u32(3, 0), text("old"), text("new")] }).errno, EINVAL);
  t.strictSame(
    it.calls.filter(([method]) => method !== "failed"),
    [],
  );
});

t.test("FORGET gives lookups back and is never answered", async (t) => {
  const it = ready();
  it.replies.length = 0;
  it.feed(request(Opcode.FORGET, { node: 5n, body: BODIES.FORGET }));
  it.feed(request(Opcode.BATCH_FORGET, { node: 0n, body: BODIES.BATCH_FORGET }));
  const five = { slot: 0, number: 5 };
  t.strictSame(it.calls, [
    ["forget", five, 3],
    ["forget", five, 1],
    ["forget", { slot: 0, number: 6 }, 2],
  ]);
  it.feed(request(Opcode.BATCH_FORGET, { body: [u32(0xffffffff, 0), u64(5n, 1n)] }));
  t.equal(it.calls.length, 3, "a count beyond the request forgets nothing");
  t.strictSame(it.replies, []);
});

t.test("a request cut at any byte is answered once or ignored, and never crashes", async (t) => {
  for (const name of NAMES) {
    const whole = request(Opcode[name], { body: BODIES[name] });
    const it = bench();
    for (let length = 0; length <= whole.length; length += 1) {
      for (const honest of [true, false]) {
        const cut = Buffer.from(whole.subarray(0, length));
        if (honest && length >= 4) cut.writeUInt32LE(length, 0);
        it.replies.length = 0;
        it.feed(cut);
        const expected = length < IN_HEADER_SIZE || UNANSWERED.includes(Opcode[name]) ? 0 : 1;
        if (it.replies.length !== expected) t.fail(`${name} of ${String(length)} bytes: ${String(it.replies.length)}`);
      }
    }
  }
  t.pass("all opcodes, all lengths");
});

t.test("names without an end, empty, or with a slash are refused", async (t) => {
  const lookup = (body: Buffer): number => ready().ask(Opcode.LOOKUP, { body: [body] }).errno;
  t.equal(lookup(Buffer.from("name")), EINVAL);
  t.equal(lookup(Buffer.from("\0\0")), EINVAL);
  t.equal(lookup(text("a/b")), EINVAL);
  const rename = ready().ask(Opcode.RENAME, { body: [u64(9n), text("old"), Buffer.from("new")] });
  t.equal(rename.errno, EINVAL);
  const short = [u64(7n, 0n), u32(6, 0), u64(0n), u32(0, 0), Buffer.from("hello")];
  t.equal(ready().ask(Opcode.WRITE, { body: short }).errno, EINVAL, "a WRITE without all its data");
  const time = [u32(1 << 4, 0), u64(0n, 0n, 0n, 1n, 0n, 0n), u32(1e9, 0, 0, 0, 0, 0, 0, 0)];
  t.equal(ready().ask(Opcode.SETATTR, { body: time }).errno, EINVAL, "a second of nanoseconds");
});

t.test("a READ of any size is asked for what an answer can hold", async (t) => {
  const body = [u64(7n, 0n), u32(0xffffffff, 0), u64(0n), u32(0, 0)];
  t.strictSame(asked("READ", { body }).at(-1), 2 ** 20);
  t.equal(ready({ readdir: listing(["a"]) }).ask(Opcode.READDIRPLUS, { body }).errno, 0);
});

t.test("names are copied: the next request does not change them", async (t) => {
  const kept: Buffer[] = [];
  const it = ready({
    lookup(_caller, _parent, given) {
      kept.push(given);
      return null;
    },
  });
  it.ask(Opcode.LOOKUP, { body: [text("first")] });
  it.ask(Opcode.LOOKUP, { body: [text("other")] });
  t.strictSame(kept.map(String), ["first", "other"]);
});

t.test("INIT takes what both sides know and nothing that would make caches lie", async (t) => {
  const it = bench();
  const { body } = it.ask(Opcode.INIT, { body: BODIES.INIT });
  t.equal(body.length, 64);
  t.strictSame([body.readUInt32LE(0), body.readUInt32LE(4)], [7, 45]);
  const flags = body.readUInt32LE(12);
  const [autoInval, writeback, explicitInval, acl] = [12, 16, 25, 20].map((bit) => 1 << bit);
  for (const bit of [autoInval, writeback, explicitInval, acl]) t.equal(flags & (bit ?? 0), 0);
  for (const bit of [0, 1, 10, 3, 5, 13, 14, 18, 22, 23, 28, 30]) t.not(flags & (1 << bit), 0, `bit ${String(bit)}`);
  t.equal(body.readUInt32LE(20), 2 ** 20, "max_write");
  t.equal(body.readUInt16LE(28), 256, "max_pages");
  t.equal(body.readUInt32LE(32), 1 << 4, "DIRECT_IO_ALLOW_MMAP");
  t.match(it.negotiations, [{ kind: "agreed", agreement: { minor: 45, epoch: true } }]);
});

t.test("an older kernel is not asked to believe names, because they could not be taken back", async (t) => {
  const it = bench();
  const { body } = it.ask(Opcode.INIT, { body: [u32(7, 38, 131072, 0x3fffffff)] });
  t.equal(body.readUInt32LE(4), 38);
  t.equal(body.readUInt32LE(32), 0, "no flags2 without INIT_EXT");
  const entry = it.ask(Opcode.LOOKUP, { body: BODIES.LOOKUP }).body;
  t.strictSame(entry.subarray(16, 32), u64(0n, FOREVER), "attributes are announced by any kernel");
});

t.test("a newer major version is asked to come back, an old kernel is refused", async (t) => {
  const newer = bench();
  const { errno, body } = newer.ask(Opcode.INIT, { body: [u32(8, 0, 0, 0)] });
  t.equal(errno, 0);
  t.equal(body.readUInt32LE(0), 7);
  t.strictSame(newer.negotiations, [{ kind: "again" }]);
  const older = bench();
  t.equal(older.ask(Opcode.INIT, { body: [u32(7, 27, 0, 0)] }).errno, EPROTO);
  t.match(older.negotiations, [{ kind: "refused", reason: /7\.27/ }]);
  t.equal(bench().ask(Opcode.LOOKUP, { body: BODIES.LOOKUP }).body.readBigUInt64LE(16), 0n, "before INIT");
});

t.test("READ answers the bytes, SETATTR the attributes after the change", async (t) => {
  t.strictSame(ready().ask(Opcode.READ, { body: BODIES.READ }).body, Buffer.from("content"));
  t.equal(ready().ask(Opcode.SETATTR, { body: BODIES.SETATTR }).body.readBigUInt64LE(24), BigInt(ATTRIBUTES.size));
});
