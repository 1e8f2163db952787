import { constants } from "node:os";
import t from "tap";
import { silentLog } from "../../lib/log.ts";
import type { Filesystem } from "../../lib/vfs/filesystem.ts";
import { Channel } from "../../daemon/fuse/kernel/channel.ts";
import { KernelInvalidator, PageInvalidations } from "../../daemon/fuse/kernel/invalidator.ts";
import { Pacing } from "../../daemon/fuse/kernel/pacing.ts";
import { ReplyMemory } from "../../daemon/fuse/kernel/reply.ts";
import { RequestBuffer } from "../../daemon/fuse/kernel/request.ts";
import type { Syscalls } from "../../daemon/fuse/kernel/syscalls.ts";
import { BODIES, request, u32, u64 } from "../fixtures/fuse-request.ts";
import { recordingFilesystem } from "../fixtures/recording-filesystem.ts";
import { Opcode } from "../../daemon/fuse/kernel/abi.ts";

const { EAGAIN, EINTR, EIO, ENODEV, ENOENT, ECONNABORTED } = constants.errno;

/** A kernel that gives `reads` in turn (bytes, or a negated errno), then EAGAIN. */
class FakeKernel {
  readonly written: Buffer[] = [];
  /** Notifications the pool is sending, each with the way to let it end. */
  readonly pending: { bytes: Buffer; finish: () => void }[] = [];
  readonly reads: (Buffer | number)[] = [];
  ended = 0;

  channel(overrides: Partial<Filesystem> = {}, minor = 45): Channel {
    const channel = this.bare(overrides);
    this.reads.push(request(Opcode.INIT, { body: [u32(7, minor, 0, 0)] }));
    channel.drain(16);
    this.written.length = 0;
    return channel;
  }

  bare(overrides: Partial<Filesystem> = {}): Channel {
    const unused = (): never => {
      throw new Error("not here");
    };
    const calls: Syscalls = {
      read: (_fd, bytes) => {
        const next = this.reads.shift() ?? -EAGAIN;
        return typeof next === "number" ? next : next.copy(bytes);
      },
      write: (_fd, bytes, size) => this.written.push(Buffer.from(bytes.subarray(0, size))),
      writeLater: (_fd, bytes) =>
        new Promise((resolve) => void this.pending.push({ bytes: Buffer.from(bytes), finish: () => resolve(0) })),
      mountLater: unused,
      umountLater: unused,
      epollCreate: unused,
      epollControl: unused,
      epollWait: unused,
      epollWaitLater: unused,
      eventfd: unused,
      ppoll: unused,
      yield: unused,
    };
    const shared = { calls, requests: new RequestBuffer(8192), replies: new ReplyMemory(), log: silentLog };
    const nothing = (): void => undefined;
    const events = { onNegotiated: nothing, onSettled: nothing, onEnded: () => void (this.ended += 1) };
    return new Channel(9, recordingFilesystem(overrides).filesystem, { shared, events });
  }
}

const NODE = { slot: 1, number: 7 };
const NODE_ID = (1n << 48n) | 7n;
const ATTRIBUTES_OF_NODE = Buffer.concat([u32(40, 2), u64(0n, NODE_ID, -1n, 0n)]);
const PAGES_OF_NODE = Buffer.concat([u32(40, 2), u64(0n, NODE_ID, 0n, 0n)]);
const EPOCH = Buffer.concat([u32(16, 8), u64(0n)]);

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

t.test("spinning stops when it sees no requests, and tries again now and then", async (t) => {
  const pacing = new Pacing(() => 2);
  for (let wait = 0; wait < 8; wait += 1) {
    t.ok(pacing.spin() > 0, "spins at first");
    pacing.miss();
  }
  const spins = Array.from({ length: 64 }, () => pacing.spin() > 0);
  t.equal(spins.filter(Boolean).length, 4, "one in sixteen");
  pacing.hit();
  t.ok(pacing.spin() > 0, "one request is enough to spin again");
});

t.test("on one CPU there is no spinning, and the affinity may change", async (t) => {
  let processors = 1;
  const pacing = new Pacing(() => processors);
  t.equal(pacing.spin(), 0);
  processors = 2;
  pacing.refresh();
  t.ok(pacing.spin() > 0);
});

t.test("attributes and names are dropped before the call returns, pages from the pool", async (t) => {
  const kernel = new FakeKernel();
  const invalidator = new KernelInvalidator(new PageInvalidations());
  invalidator.attributes(NODE);
  invalidator.connect(kernel.channel());
  t.strictSame(kernel.written, [], "nothing before there is a connection");
  invalidator.attributes(NODE);
  invalidator.names(NODE);
  invalidator.content(NODE);
  t.strictSame(kernel.written, [ATTRIBUTES_OF_NODE, EPOCH, ATTRIBUTES_OF_NODE, ATTRIBUTES_OF_NODE]);
  t.strictSame(
    kernel.pending.map((one) => one.bytes),
    [PAGES_OF_NODE],
  );
});

t.test("a kernel without the epoch gets attributes only", async (t) => {
  const kernel = new FakeKernel();
  const invalidator = new KernelInvalidator(new PageInvalidations());
  invalidator.connect(kernel.channel({}, 43));
  invalidator.names(NODE);
  t.strictSame(kernel.written, [ATTRIBUTES_OF_NODE]);
});

t.test("whoever must not read old pages waits for them to be dropped, and for nothing else", async (t) => {
  const kernel = new FakeKernel();
  const pages = new PageInvalidations();
  const invalidator = new KernelInvalidator(pages);
  t.equal(invalidator.dropped(NODE), null, "nothing is kept before there is a connection");
  const channel = kernel.channel();
  invalidator.connect(channel);
  const other = { slot: 0, number: 8 };
  const order: string[] = [];
  const wait = (node: typeof NODE, name: string) => void invalidator.dropped(node)?.then(() => order.push(name));
  invalidator.content(other);
  invalidator.content(NODE);
  wait(other, "under way");
  wait(NODE, "queued");
  t.equal(invalidator.dropped({ slot: 1, number: 9 }), null);
  await tick();
  t.strictSame(order, []);
  kernel.pending[0]?.finish();
  await tick();
  t.strictSame(order, ["under way"]);
  t.equal(invalidator.dropped(other), null);
  invalidator.content(NODE);
  wait(NODE, "changed meanwhile");
  kernel.pending[1]?.finish();
  await tick();
  t.strictSame(order, ["under way", "queued"]);
  wait(NODE, "forgotten with its mount");
  pages.push(channel, other);
  wait(other, "never sent");
  const drop = pages.drop(channel);
  kernel.pending[2]?.finish();
  await drop;
  await tick();
  t.strictSame(order.slice(2).sort(), ["changed meanwhile", "forgotten with its mount", "never sent"]);
  t.equal(kernel.pending.length, 3);
});

t.test("pages are dropped one node at a time, and a node that waits only once", async (t) => {
  const kernel = new FakeKernel();
  const pages = new PageInvalidations();
  const channel = kernel.channel();
  pages.push(channel, NODE);
  for (let round = 0; round < 3; round += 1) {
    pages.push(channel, { slot: 0, number: 8 });
    pages.push(channel, NODE);
  }
  t.equal(kernel.pending.length, 1);
  kernel.pending[0]?.finish();
  await tick();
  t.equal(kernel.pending.length, 2);
  kernel.pending[1]?.finish();
  await tick();
  t.strictSame(kernel.pending[2]?.bytes, PAGES_OF_NODE, "changed again while it was being dropped");
  kernel.pending[2]?.finish();
  await tick();
  t.equal(kernel.pending.length, 3);
});

t.test("dropping a channel waits for its own invalidation and forgets the rest", async (t) => {
  const kernel = new FakeKernel();
  const pages = new PageInvalidations();
  const [one, other] = [kernel.channel(), kernel.channel()];
  pages.push(one, NODE);
  pages.push(one, { slot: 0, number: 8 });
  await pages.drop(other);
  let dropped = false;
  const drop = pages.drop(one).then(() => (dropped = true));
  await tick();
  t.notOk(dropped);
  kernel.pending[0]?.finish();
  await drop;
  await tick();
  t.equal(kernel.pending.length, 1);
});

t.test("reading goes on after a signal or a request taken back, and ends with the mount", async (t) => {
  for (const errno of [ENODEV, ECONNABORTED, EIO]) {
    const kernel = new FakeKernel();
    const channel = kernel.channel();
    kernel.reads.push(-EINTR, -ENOENT, -EAGAIN);
    for (let read = 0; read < 3; read += 1) t.equal(channel.drain(16), 0);
    t.notOk(channel.ended);
    kernel.reads.push(request(Opcode.STATFS), -errno);
    t.equal(channel.drain(16), 1);
    t.ok(channel.ended);
    channel.end();
    t.equal(kernel.ended, 1, "is told once");
    t.equal(channel.drain(16), 0);
  }
});

t.test("an answer that comes after the end goes nowhere", async (t) => {
  const kernel = new FakeKernel();
  let release: () => void = () => undefined;
  const channel = kernel.channel({ flush: () => new Promise<void>((resolve) => (release = resolve)) });
  kernel.reads.push(request(Opcode.FLUSH, { body: BODIES.FLUSH }), -ENODEV);
  channel.drain(16);
  release();
  await tick();
  t.strictSame(kernel.written, []);
});

t.test("one turn serves a bounded number of requests, and none while the filesystem is pressed", async (t) => {
  const kernel = new FakeKernel();
  const channel = kernel.channel();
  for (let count = 0; count < 5; count += 1) kernel.reads.push(request(Opcode.STATFS));
  t.equal(channel.drain(3), 3);
  t.equal(channel.drain(3), 2);
  const pressed = new FakeKernel();
  const waiting = pressed.bare({ pressed: true });
  pressed.reads.push(request(Opcode.STATFS));
  t.equal(waiting.drain(3), 0);
  t.ok(waiting.pressed);
  t.equal(pressed.reads.length, 1, "the request waits in the kernel");
});
