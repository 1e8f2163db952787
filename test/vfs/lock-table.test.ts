/** The table of locks: ranges that split and merge, who waits for whom, and what ends a lock. */
import t from "tap";
import type { Claim, LockHolder } from "../../lib/vfs/file-locks.ts";
import { LAST_BYTE } from "../../lib/vfs/filesystem.ts";
import { LockTable } from "../../lib/vfs/lock-table.ts";
import { claim, MOUNT, OTHER_MOUNT, outcome, type Wanted } from "../fixtures/lock-claims.ts";

const flock = (wanted: Wanted): Claim => ({ ...claim(wanted), flock: true });

/** What an outsider finds locked of the first 20 bytes: `w`, `r` or `.` for each. */
function picture(table: LockTable): string {
  return Array.from({ length: 20 }, (_, byte) => {
    const probe = (exclusive: boolean): boolean =>
      table.test(claim({ owner: 99, exclusive, range: [byte, byte] })) !== null;
    return probe(false) ? "w" : probe(true) ? "r" : ".";
  }).join("");
}

/** Takes what is free, else waits for it. */
function lock(table: LockTable, wanted: Claim): { value: string } {
  return table.take(wanted) === null ? { value: "granted" } : outcome(table.wait(wanted));
}

t.test("ranges of one owner split, merge, and change their kind in part", async (t) => {
  const table = new LockTable();
  const steps: [Wanted & { free?: true }, string, number][] = [
    [{ range: [2, 5] }, "..wwww..............", 1],
    [{ range: [6, 9] }, "..wwwwwwww..........", 1],
    [{ range: [4, 6], exclusive: false }, "..wwrrrwww..........", 3],
    [{ range: [5, 5], free: true }, "..wwr.rwww..........", 4],
    [{ range: [0, null], exclusive: false }, "r".repeat(20), 1],
    [{ range: [3, 3], free: true }, `rrr.${"r".repeat(16)}`, 2],
    [{ range: [0, 10], free: true }, `${".".repeat(11)}${"r".repeat(9)}`, 1],
    [{ range: [12, 12], free: true }, `${".".repeat(11)}r.${"r".repeat(7)}`, 2],
    [{ range: [12, 12], exclusive: false }, `${".".repeat(11)}${"r".repeat(9)}`, 1],
    [{ range: [0, null], free: true }, ".".repeat(20), 0],
  ];
  for (const [{ free, ...wanted }, expected, held] of steps) {
    if (free === true) table.free(claim(wanted));
    else t.equal(table.take(claim(wanted)), null);
    t.equal(picture(table), expected);
    t.equal(table.held, held);
  }
});

t.test("the first lock that stands in the way is named, with its process; one's own never does", async (t) => {
  const table = new LockTable();
  for (const [owner, at] of [[1, 30], [2, 10], [3, 20]] as const) table.take(claim({ owner, range: [at, at + 4], exclusive: owner !== 2 })); // prettier-ignore
  t.match(table.test(claim({ owner: 9 })), { start: 10n, end: 14n, exclusive: false, pid: 2 });
  t.match(table.test(claim({ owner: 9, exclusive: false })), { start: 20n, pid: 3 });
  t.match(table.test(claim({ owner: 3, range: [15, null] })), { start: 30n });
  t.equal(table.test(claim({ owner: 3, range: [15, 29] })), null);
  t.not(
    table.test(claim({ owner: 3, range: [20, 24], mount: OTHER_MOUNT })),
    null,
    "an owner of another mount is another",
  );
});

t.test("positions beyond what a double can hold are exact", async (t) => {
  const table = new LockTable();
  const at = (byte: bigint, owner: number): Claim => ({ ...claim({ owner }), start: byte, end: byte });
  t.equal(table.take(at(LAST_BYTE, 1)), null);
  t.equal(table.take(at(LAST_BYTE - 1n, 2)), null);
  t.not(table.take(at(LAST_BYTE, 2)), null);
  table.free(at(LAST_BYTE, 1));
  t.equal(table.take(at(LAST_BYTE, 2)), null);
  t.match(table.test(claim({ owner: 3 })), { start: LAST_BYTE - 1n, end: LAST_BYTE });
});

t.test("who waits is granted in the order of coming, readers together", async (t) => {
  const table = new LockTable();
  table.take(claim({ owner: 1 }));
  const reader = (owner: number) => lock(table, claim({ owner, exclusive: false }));
  const waiting = [reader(2), lock(table, claim({ owner: 3 })), reader(4), lock(table, claim({ owner: 5 }))];
  const values = (): string[] => waiting.map(({ value }) => value);
  t.equal(table.waiting, 4);
  table.free(claim({ owner: 1 }));
  t.strictSame(values(), ["granted", "waits", "granted", "waits"]);
  table.free(claim({ owner: 2 }));
  table.free(claim({ owner: 4 }));
  t.strictSame(values(), ["granted", "granted", "granted", "waits"]);
  table.free(claim({ owner: 3 }));
  t.strictSame(values(), ["granted", "granted", "granted", "granted"]);
  table.free(claim({ owner: 5 }));
  t.strictSame([table.held, table.waiting], [0, 0]);
});

t.test("giving up a part lets those in who wait for that part", async (t) => {
  const table = new LockTable();
  table.take(claim({ owner: 1 }));
  const first = lock(table, claim({ owner: 2, range: [0, 9] }));
  const second = lock(table, claim({ owner: 3, range: [20, 29], exclusive: false }));
  table.take(claim({ owner: 1, range: [20, 24], exclusive: false }));
  t.equal(second.value, "waits");
  table.take(claim({ owner: 1, range: [10, null], exclusive: false }));
  t.equal(second.value, "granted", "a lock that became shared");
  table.free(claim({ owner: 1, range: [0, 5] }));
  t.equal(first.value, "waits");
  table.free(claim({ owner: 1, range: [6, 9] }));
  t.equal(first.value, "granted");
});

t.test("a signal calls a waiter off, and leaves the others their turn", async (t) => {
  const table = new LockTable();
  table.take(claim({ owner: 1 }));
  const parked = table.wait(claim({ owner: 2 }));
  const first = outcome(parked);
  const second = lock(table, claim({ owner: 3 }));
  parked.interrupt();
  t.strictSame([first.value, second.value, table.waiting], ["interrupted", "waits", 1]);
  table.free(claim({ owner: 1 }));
  parked.interrupt();
  t.strictSame([first.value, second.value], ["interrupted", "granted"]);
});

t.test("owners that would wait for each other in a circle are told, over any number of files", async (t) => {
  const table = new LockTable();
  for (const owner of [1, 2, 3]) table.take(claim({ owner, node: owner }));
  const one = lock(table, claim({ owner: 1, node: 2 }));
  const two = lock(table, claim({ owner: 2, node: 3 }));
  t.throws(() => table.wait(claim({ owner: 3, node: 1 })), { code: "deadlock" });
  t.strictSame([one.value, two.value, table.waiting], ["waits", "waits", 2]);
  t.equal(table.take(claim({ owner: 4, node: 9 })), null);
  t.equal(lock(table, claim({ owner: 4, node: 1 })).value, "waits", "a queue is no circle");
  table.free(claim({ owner: 3, node: 3 }));
  t.strictSame([one.value, two.value], ["waits", "granted"]);
});

t.test("two readers that both want to write are a circle for ranges", async (t) => {
  const table = new LockTable();
  for (const owner of [1, 2]) table.take(claim({ owner, exclusive: false }));
  const first = lock(table, claim({ owner: 1 }));
  t.not(table.take(claim({ owner: 2 })), null);
  t.throws(() => table.wait(claim({ owner: 2 })), { code: "deadlock" });
  table.free(claim({ owner: 2 }));
  t.equal(first.value, "granted");
});

t.test("a circle that a grant closes is told to who waits for the new holder", async (t) => {
  const table = new LockTable();
  table.take(claim({ owner: 2, node: 8 }));
  table.take(claim({ owner: 3, node: 7 }));
  const thread = lock(table, claim({ owner: 1, node: 8 }));
  const second = lock(table, claim({ owner: 2, node: 7 }));
  // Another thread of owner 1 takes a part of what owner 2 waits for.
  table.free(claim({ owner: 3, node: 7, range: [0, 4] }));
  t.equal(table.take(claim({ owner: 1, node: 7, range: [0, 4] })), null);
  t.strictSame([thread.value, second.value], ["waits", "deadlock"]);
});

t.test("a conversion of flock gives the old lock up first: two that convert do not block each other", async (t) => {
  const table = new LockTable();
  const shared = (owner: number): Claim => flock({ owner, exclusive: false });
  for (const owner of [1, 2]) t.equal(table.take(shared(owner)), null);
  const first = lock(table, flock({ owner: 1 }));
  t.equal(first.value, "waits");
  t.equal(table.take(flock({ owner: 2 })), null, "the first has nothing any more that would stand against it");
  t.equal(table.take(flock({ owner: 2 })), null, "again is no change");
  t.equal(first.value, "waits");
  t.equal(table.take(shared(2)), null, "and back");
  t.not(table.take(flock({ owner: 3 })), null);
  table.free(flock({ owner: 2 }));
  t.equal(first.value, "granted");
  t.equal(table.test(claim({ owner: 4 })), null, "fcntl does not see them");
  t.equal(table.take(claim({ owner: 4 })), null);
});

t.test("closing frees the owner's ranges through all handles, the last close all of the handle", async (t) => {
  const table = new LockTable();
  table.take(claim({ owner: 1, range: [0, 4], handle: 11 }));
  table.take(claim({ owner: 1, range: [5, 9], handle: 12 }));
  table.take(claim({ owner: 2, range: [10, 14], handle: 11 }));
  table.take(flock({ owner: 7, handle: 11 }));
  t.equal(table.held, 4, "locks through two handles stay apart");
  table.closed(OTHER_MOUNT, 5, { ownerHigh: 0xffffffff, ownerLow: 1 });
  table.closed(MOUNT, 6, { ownerHigh: 0xffffffff, ownerLow: 1 });
  table.closed(MOUNT, 5, { ownerHigh: 0, ownerLow: 1 });
  t.equal(table.held, 4, "another mount, file, owner");
  const waits = lock(table, claim({ owner: 3, range: [0, 9] }));
  table.closed(MOUNT, 5, { ownerHigh: 0xffffffff, ownerLow: 1 });
  t.equal(waits.value, "granted");
  t.equal(picture(table), `${"w".repeat(15)}.....`);
  table.released(OTHER_MOUNT, 5, 11);
  t.equal(table.held, 3);
  table.released(MOUNT, 5, 11);
  t.equal(picture(table), `${"w".repeat(10)}..........`);
  t.equal(table.held, 1);
});

t.test("an owner that is used again does not lose its locks to the last close of the one before", async (t) => {
  const table = new LockTable();
  table.take(claim({ owner: 1, handle: 11, range: [0, 19] }));
  table.take(claim({ owner: 1, handle: 22, range: [5, 9] }));
  table.released(MOUNT, 5, 11);
  t.equal(picture(table), `.....${"w".repeat(5)}${".".repeat(10)}`);
});

t.test("a mount that goes takes its locks and its waiters along", async (t) => {
  const table = new LockTable();
  table.take(claim({ owner: 1, mount: OTHER_MOUNT, node: 5 }));
  table.take(flock({ owner: 1, mount: OTHER_MOUNT, node: 6 }));
  const [range, whole] = [lock(table, claim({ owner: 2 })), lock(table, flock({ owner: 2, node: 6 }))];
  const theirs = lock(table, claim({ owner: 3, mount: OTHER_MOUNT }));
  table.detached(OTHER_MOUNT);
  t.strictSame([range.value, whole.value, theirs.value], ["granted", "granted", "no_locks"]);
  table.detached(MOUNT);
  t.strictSame([table.held, table.waiting], [0, 0]);
});

t.test("a grant is answered when its mount has made the file current", async (t) => {
  const table = new LockTable();
  const told: number[] = [];
  let ready: () => void = () => undefined;
  const slow: LockHolder = { granted: (node) => new Promise((resolve) => ((ready = resolve), told.push(node))) };
  table.take(claim({ owner: 1 }));
  const waits = lock(table, claim({ owner: 2, mount: slow }));
  table.free(claim({ owner: 1 }));
  t.strictSame([told, waits.value, table.held], [[5], "waits", 1]);
  ready();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(waits.value, "granted");
});

t.test("the number of locks and of waiters has a bound, and what is held can always be given up whole", async (t) => {
  const table = new LockTable();
  for (let index = 0; index < 8192; index++) table.take(claim({ range: [4 * index, 4 * index + 2], node: index % 64 }));
  t.throws(() => table.take(claim({ range: [100_000, 100_000] })), { code: "no_locks" });
  t.throws(() => table.free(claim({ range: [5, 5], node: 1 })), { code: "no_locks" }, "a rest on either side");
  table.free(claim({ range: [4, 6], node: 1 }));
  t.equal(table.take(claim({ range: [100_000, 100_000] })), null);
  const other = new LockTable();
  other.take(claim({ owner: 1 }));
  for (let index = 0; index < 1024; index++) lock(other, claim({ owner: index + 2 }));
  t.throws(() => lock(other, claim({ owner: 5000 })), { code: "no_locks" });
  t.equal(other.waiting, 1024);
  table.detached(MOUNT);
  t.equal(table.held, 0);
});
