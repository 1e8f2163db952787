/** Requests for locks, and what may answer them much later. */
import { constants } from "node:os";
import t from "tap";
import { Opcode } from "../../daemon/fuse/kernel/abi.ts";
import { MemfsError } from "../../lib/errors.ts";
import type { Filesystem } from "../../lib/vfs/filesystem.ts";
import { Parked } from "../../lib/vfs/parked.ts";
import { Bench, BODIES, request, u32, u64 } from "../fixtures/fuse-request.ts";
import { recordingFilesystem } from "../fixtures/recording-filesystem.ts";

const { EAGAIN, EDEADLK, EINTR, EINVAL } = constants.errno;

/** A bench that remembers its calls. */
function ready(overrides: Partial<Filesystem> = {}) {
  const { calls, filesystem } = recordingFilesystem(overrides);
  return Object.assign(new Bench(filesystem), { calls });
}

const ROOT = { slot: 0, number: 1 };
const FH = { fhHigh: 0, fhLow: 7 };
const OWNER_ID = 0xfedcba9876543210n;
const OWNER = { ownerHigh: 0xfedcba98, ownerLow: 0x76543210 };

t.test("a lock keeps all bits of its range and its owner, up to the last byte there can be", async (t) => {
  const lock = (type: number, flags: number, ...range: bigint[]): Buffer[] => [
    u64(7n, OWNER_ID, ...range),
    u32(type, 4242, flags, 0),
  ];
  const [start, last] = [2n ** 62n + 1n, 2n ** 63n - 1n];
  const common = { owner: OWNER, start, end: last, pid: 4242, flock: false };
  const asked = (name: "GETLK" | "SETLK" | "SETLKW", body: Buffer[]): unknown[] => {
    const it = ready();
    if (it.ask(Opcode[name], { body }).errno !== 0) throw new Error(`${name} was refused`);
    const [method, , ...rest] = it.calls[0] ?? ["nothing"];
    return [method, ...rest];
  };
  const ask = (name: "GETLK" | "SETLK" | "SETLKW", type: number): unknown => asked(name, lock(type, 0, start, last));
  t.strictSame(ask("GETLK", 0), ["getlock", ROOT, FH, { ...common, type: "read", wait: false }]);
  t.strictSame(ask("SETLK", 1), ["setlock", ROOT, FH, { ...common, type: "write", wait: false }]);
  t.strictSame(ask("SETLKW", 2), ["setlock", ROOT, FH, { ...common, type: "unlock", wait: true }]);
  const flock = asked("SETLK", lock(1, 1, 0n, last));
  t.match(flock[3], { flock: true, start: 0n, end: last });
  for (const wrong of [lock(3, 0, 0n, 9n), lock(0, 0, 9n, 8n), lock(0, 0, 0n, 2n ** 63n)]) {
    t.equal(ready().ask(Opcode.SETLK, { body: wrong }).errno, EINVAL);
  }
  const inTheWay = ready({ getlock: () => ({ type: "write", start, end: last, pid: 99 }) });
  const { body } = inTheWay.ask(Opcode.GETLK, { body: lock(0, 0, 0n, last) });
  t.strictSame(body, Buffer.concat([u64(start, last), u32(1, 99)]));
  const free = ready().ask(Opcode.GETLK, { body: lock(0, 0, 0n, last) });
  t.strictSame(free.body, Buffer.concat([u64(0n, 0n), u32(2, 0)]), "nothing is");
});

t.test("what is parked is answered when its outcome comes, and does not count as waiting", async (t) => {
  const parked = new Parked(() => undefined);
  const it = ready({ setlock: () => parked });
  it.replies.length = 0;
  it.feed(request(Opcode.SETLKW, { unique: 10n, body: BODIES.SETLKW }));
  t.equal(it.dispatcher.waiting, 0);
  t.strictSame(it.replies, []);
  parked.settle(null);
  t.match(it.replies, [{ unique: 10n, errno: 0 }], "in the same turn");
  parked.settle(new MemfsError("interrupted", "too late"));
  t.equal(it.replies.length, 1, "once");
  const known = new Parked(() => undefined);
  known.settle(new MemfsError("deadlock", "no"));
  t.equal(ready({ setlock: () => known }).ask(Opcode.SETLKW, { body: BODIES.SETLKW }).errno, EDEADLK);
});

t.test("INTERRUPT calls off what is parked, leaves the rest, and comes again for what is not known", async (t) => {
  const parked = new Parked(() => parked.settle(new MemfsError("interrupted", "a signal")));
  let synced: () => void = () => undefined;
  const it = ready({ setlock: () => parked, fsync: () => new Promise((resolve) => (synced = resolve)) });
  it.feed(request(Opcode.SETLKW, { unique: 0x8000000100000002n, body: BODIES.SETLKW }));
  it.feed(request(Opcode.FSYNC, { unique: 6n, body: BODIES.FSYNC }));
  it.replies.length = 0;
  const interrupt = (unique: bigint): void =>
    it.feed(request(Opcode.INTERRUPT, { unique: unique | 1n, body: [u64(unique)] }));
  interrupt(6n);
  t.strictSame(it.replies, [], "an fsync is answered soon");
  interrupt(2n);
  t.match(it.replies.splice(0), [{ unique: 3n, errno: EAGAIN }], "as if it were not the same low half");
  interrupt(0x8000000100000002n);
  t.match(it.replies.splice(0), [{ unique: 0x8000000100000002n, errno: EINTR }]);
  interrupt(0x8000000100000002n);
  t.match(it.replies.splice(0), [{ unique: 0x8000000100000003n, errno: EAGAIN }], "answered before");
  synced();
  await new Promise((resolve) => setImmediate(resolve));
  t.match(it.replies.splice(0), [{ unique: 6n, errno: 0 }]);
  interrupt(6n);
  t.match(it.replies, [{ unique: 7n, errno: EAGAIN }]);
});
