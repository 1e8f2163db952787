/** Locks on real mounts: two mounts of one store, other processes, and what ends a lock. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import t, { type Test } from "tap";
import { requireFuse, run, shell, until } from "../fixtures/fuse.ts";
import { testHome, type TestHome } from "../fixtures/home.ts";
import { Locker } from "../fixtures/locker.ts";

/** A directory with the file `f`, as two mounts of one store show it. */
interface Place {
  readonly home: TestHome;
  readonly one: string;
  readonly two: string;
}

async function twoMounts(t: Test, access = "rw"): Promise<Place> {
  const home = await testHome(t);
  const [one, two] = [await home.directory("one"), await home.directory("two")];
  t.equal((await home.memfs("mount", "--create", "notes", "one")).code, 0);
  t.equal((await home.memfs("mount", `notes:${access}`, "two")).code, 0);
  await shell('echo content > "$1/f"', one);
  return { home, one, two };
}

let places = 0;

async function placeIn({ home, one, two }: Place): Promise<Place> {
  const name = `place${++places}`;
  await shell('mkdir "$1/$2"; echo content > "$1/$2/f"', one, name);
  return { home, one: join(one, name), two: join(two, name) };
}

/** Lockers with the file open as `f`. */
async function lockers(t: Test, ...opens: readonly [directory: string, mode: "r" | "w" | "rw"][]): Promise<Locker[]> {
  const all = opens.map(() => new Locker(t));
  for (const [index, [directory, mode]] of opens.entries()) {
    t.equal(await all[index]?.ask(`open f ${directory}/f ${mode}`), "ok");
  }
  return all;
}

/** True when the answer has not come within a time in which it would have. */
async function waits(answer: Promise<string>): Promise<boolean> {
  return (await Promise.race([answer, delay(150, "waits")])) === "waits";
}

/** Milliseconds of CPU that a process has used. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function shellLocks(t: Test, { one, two }: Place): Promise<void> {
  const holder = spawn("flock", [join(one, "f"), "sh", "-c", "echo held; read line"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.teardown(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  for (const directory of [one, two]) {
    t.equal((await run("flock", ["-n", join(directory, "f"), "true"])).code, 1, "-n fails at once");
    t.equal((await run("flock", ["-n", "-s", join(directory, "f"), "true"])).code, 1);
    const began = Date.now();
    t.equal((await run("flock", ["-w", "0.3", join(directory, "f"), "true"])).code, 1, "-w when its time is over");
    t.ok(Date.now() - began >= 290);
  }
  const waiting = run("flock", [join(two, "f"), "echo", "mine"]);
  t.ok(await waits(waiting.then(({ stdout }) => stdout)));
  holder.stdin.end("go\n");
  t.strictSame(await waiting, { code: 0, stdout: "mine\n", stderr: "" });
  t.equal((await run("flock", ["-n", join(one, "f"), "true"])).code, 0);
}

/** In turn through both mounts: each increments what it finds. Lost increments show a lock that did not hold. */
async function counter(t: Test, { one, two }: Place): Promise<void> {
  await shell('echo 0 > "$1/n"; : > "$1/lock"', one);
  const script = `i=0; while [ $i -lt 60 ]; do
    flock "$1/lock" sh -c 'n=$(cat "$1/n"); echo $((n + 1)) > "$1/n"' sh "$1"; i=$((i + 1)); done`;
  const workers = [one, two, one, two].map((directory) => shell(script, directory));
  for (const outcome of await Promise.all(workers)) t.strictSame(outcome, { code: 0, stdout: "", stderr: "" });
  for (const directory of [one, two]) t.equal((await shell('cat "$1/n"', directory)).stdout, "240\n");
}

/** As many times as it can go wrong: a lock let go by closing is free for the other mount at once. */
async function closedIsFree(t: Test, { one, two }: Place): Promise<void> {
  const script = 'i=0; while [ $i -lt 150 ]; do flock -n "$1/f" true; flock -n "$2/f" true; i=$((i + 1)); done';
  t.strictSame(await shell(script, one, two), { code: 0, stdout: "", stderr: "" });
}

/** `exec 9>f; flock 9`: the process that took the lock ends, the lock stays with the open file. */
async function descriptorLocks(t: Test, { one, two }: Place): Promise<void> {
  const fifo = join(one, "fifo");
  const script = `exec 9< "$1/f"; flock -s 9; flock -n "$2/f" true && exit 3; flock -n -s "$2/f" true || exit 4
    exec 9<&-; flock -n "$2/f" true`;
  t.equal((await shell(script, one, two)).code, 0);
  const [other] = await lockers(t, [two, "rw"]);
  const taker = `import fcntl, struct; fcntl.fcntl(0, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))`;
  const ofd = 'exec < "$1/f"; python3 -c "$2"; echo taken >&2; read -r line < "$3"';
  await shell('mkfifo "$1"', fifo);
  const holder = spawn("sh", ["-euc", ofd, "sh", one, taker, fifo], { stdio: ["ignore", "ignore", "pipe"] });
  t.teardown(() => holder.kill("SIGKILL"));
  await once(holder.stderr, "data");
  t.equal(await other?.ask("ofd f ex"), "EAGAIN", "an OFD lock outlives the process that took it");
  await shell('echo > "$1"', fifo);
  await until(async () => (await other?.ask("ofd f ex")) === "ok");
}

async function ranges(t: Test, { one, two }: Place): Promise<void> {
  const [a, b] = (await lockers(t, [one, "rw"], [two, "rw"])) as [Locker, Locker];
  t.equal(await a.ask("lockf f ex 10 10"), "ok");
  t.equal(await b.ask("lockf f ex 0 10"), "ok");
  t.equal(await b.ask("lockf f sh 15 1"), "EAGAIN");
  t.equal(await b.ask("getlk f sh 0 0"), `w 10 10 ${a.pid}`, "the process that holds it is named");
  t.equal(await b.ask("getlk f ex 20 0"), "free");
  t.equal(await a.ask("lockf f un 12 2"), "ok");
  t.equal(await b.ask("lockf f ex 12 2"), "ok", "a hole");
  t.equal(await a.ask("lockf f sh 10 2"), "ok");
  t.equal(await b.ask("lockf f sh 10 2"), "ok", "both read");
  t.equal(await a.ask("lockf f ex 10 2"), "EAGAIN");
  const last = 2n ** 63n - 2n;
  t.equal(await a.ask(`lockf f ex ${last} 1`), "ok");
  t.equal(await b.ask(`getlk f ex ${last - 1n} 0`), `w ${last} 1 ${a.pid}`);
  t.equal(await b.ask(`lockf f ex ${last - 1n} 1`), "ok");
  const waiting = b.ask("lockf f ex wait 14 6");
  t.ok(await waits(waiting));
  t.equal(await a.ask("lockf f un 0 0"), "ok");
  t.equal(await waiting, "ok");
  t.equal(await a.ask("flock f ex"), "ok", "flock does not see them");
}

async function deadlocks(t: Test, { one }: Place): Promise<void> {
  const [a, b] = (await lockers(t, [one, "rw"], [one, "rw"])) as [Locker, Locker];
  t.equal(await a.ask("lockf f ex 0 1"), "ok");
  t.equal(await b.ask("lockf f ex 1 1"), "ok");
  const waiting = a.ask("lockf f ex wait 1 1");
  t.ok(await waits(waiting));
  t.equal(await b.ask("lockf f ex wait 0 1"), "EDEADLOCK");
  await b.end();
  t.equal(await waiting, "ok");
}

async function endings(t: Test, { one, two }: Place): Promise<void> {
  for (const how of ["flock", "lockf", "ofd"]) {
    for (const mode of ["rw", "r"] as const) {
      const kind = mode === "r" ? "sh" : "ex";
      const [a, b] = (await lockers(t, [one, mode], [two, "rw"])) as [Locker, Locker];
      t.equal(await a.ask(`${how} f ${kind}`), "ok");
      const waiting = b.ask(`${how} f ex wait`);
      t.ok(await waits(waiting), `${how}, ${mode}`);
      await a.kill("SIGKILL");
      t.equal(await waiting, "ok", "kill -9 of the holder frees it");
      await b.end();
    }
  }
}

async function closeTraps(t: Test, { one, two }: Place): Promise<void> {
  const [a, b] = (await lockers(t, [one, "rw"], [two, "rw"])) as [Locker, Locker];
  t.equal(await a.ask(`open g ${one}/f rw`), "ok");
  t.equal(await a.ask("lockf f ex"), "ok");
  t.equal(await a.ask("fork"), "ok");
  t.equal(await a.ask("reap"), "ok");
  t.equal(await b.ask("lockf f ex"), "EAGAIN", "a child that inherits and ends takes nothing along");
  t.equal(await a.ask(`open h ${one}/f r`), "ok");
  t.equal(await a.ask("close h"), "ok");
  t.equal(await b.ask("lockf f ex"), "ok", "any close of the file frees a process's locks, as POSIX says");
  t.equal(await b.ask("lockf f un"), "ok");
  for (const how of ["flock", "ofd"]) {
    t.equal(await a.ask(`${how} f ex`), "ok");
    t.equal(await a.ask("fork"), "ok");
    t.equal(await a.ask(`open h ${one}/f r`), "ok");
    t.equal(await a.ask("close h"), "ok");
    t.equal(await b.ask(`${how} f ex`), "EAGAIN", "another open file of the process is not the lock's");
    t.equal(await a.ask("close f"), "ok");
    t.equal(await b.ask(`${how} f ex`), "EAGAIN", "the child has the same open file");
    t.equal(await a.ask("reap"), "ok");
    await until(async () => (await b.ask(`${how} f ex`)) === "ok");
    t.equal(await b.ask(`${how} f un`), "ok");
    t.equal(await a.ask(`open f ${one}/f rw`), "ok");
  }
}

async function signals(t: Test, { one, two }: Place): Promise<void> {
  const [holder, b, c] = (await lockers(t, [one, "rw"], [two, "rw"], [two, "rw"])) as [Locker, Locker, Locker];
  for (const how of ["flock", "lockf"]) {
    t.equal(await holder.ask(`${how} f ex`), "ok");
    const waiter = new Locker(t);
    await waiter.ask(`open f ${two}/f rw`);
    const killed = waiter.ask(`${how} f ex wait`);
    t.ok(await waits(killed));
    await waiter.kill(how === "flock" ? "SIGINT" : "SIGKILL");
    t.equal(await killed, "gone");
  }
  const next = b.ask("flock f ex wait");
  t.ok(await waits(next));
  t.equal(await holder.ask("flock f un"), "ok");
  t.equal(await next, "ok", "the lock did not go to the dead");
  t.equal(await c.ask("flock f ex"), "EAGAIN");
}

async function manyWaiters(t: Test, { home, one, two }: Place): Promise<void> {
  const [holder] = (await lockers(t, [one, "rw"])) as [Locker];
  t.equal(await holder.ask("flock f ex"), "ok");
  const waiters = await lockers(t, ...Array.from({ length: 6 }, (_, n): [string, "rw"] => [n % 2 ? one : two, "rw"]));
  const answers = waiters.map((waiter) => waiter.ask("flock f ex wait"));
  const daemon = home.pid() ?? 0;
  for (const answer of answers) t.ok(await waits(answer));
  const before = cpu(daemon);
  await delay(1500);
  // Looking again and again would take most of it; what the store does in the background takes little.
  t.ok(cpu(daemon) - before <= 300, `${cpu(daemon) - before} ms of CPU for 1,500 ms of waiting`);
  const script = 'i=0; while [ $i -lt 200 ]; do echo $i > "$1/g"; read -r x < "$1/g"; i=$((i + 1)); done';
  t.equal((await shell(script, two)).code, 0, "other requests go on");
  t.equal((await home.memfs("store", "list")).code, 0, "and so does the daemon");
  t.equal(await holder.ask("flock f un"), "ok");
  const ended = answers.map(async (answer, index) => {
    t.equal(await answer, "ok", "one after the other");
    await waiters[index]?.end();
  });
  await Promise.all(ended);
}

async function handedOver(t: Test, { one, two }: Place): Promise<void> {
  const [a, b] = (await lockers(t, [one, "rw"], [two, "rw"])) as [Locker, Locker];
  for (const how of ["lockf", "flock", "ofd"]) {
    for (let turn = 0; turn < 40; turn += 1) {
      const [writer, reader] = turn % 2 === 0 ? [a, b] : [b, a];
      const text = `${how}-${String(turn).padStart(4, "0")}`;
      if ((await writer.ask(`${how} f ex wait`)) !== "ok") t.fail("locked");
      await writer.ask(`write f ${text}`);
      const waiting = turn % 4 < 2 ? null : reader.ask(`${how} f sh wait`);
      if ((await writer.ask(`${how} f un`)) !== "ok") t.fail("unlocked");
      const locked = await (waiting ?? reader.ask(`${how} f sh wait`));
      const found = await reader.ask("read f");
      if (locked !== "ok" || !found.startsWith(text)) t.fail(`${found} instead of ${text}, ${locked}`);
      await reader.ask(`${how} f un`);
    }
  }
  t.pass("what is written under a lock and not closed is what the next holder reads, from pages it has");
}

async function readOnly(t: Test): Promise<void> {
  const { one, two } = await twoMounts(t, "ro");
  const [a, b] = (await lockers(t, [one, "rw"], [two, "r"])) as [Locker, Locker];
  t.equal(await b.ask("flock f ex"), "ok");
  t.equal(await a.ask("flock f ex"), "EAGAIN", "a lock through a read-only mount is a lock");
  t.equal(await b.ask("flock f un"), "ok");
  t.equal(await b.ask("lockf f sh"), "ok");
  t.equal(await b.ask("lockf f ex"), "EBADF", "of a descriptor that cannot write");
  t.equal(await a.ask("lockf f ex"), "EAGAIN");
  await shell('rm "$1/f"; echo new > "$1/f"', one);
  t.equal(await a.ask("lockf f ex"), "EAGAIN", "on a file without a name any more");
  t.equal((await run("flock", ["-n", join(two, "f"), "true"])).code, 0, "which is another file than the new one");
  t.equal(await b.ask("close f"), "ok");
  await until(async () => (await a.ask("lockf f ex")) === "ok");
}

async function forcedUnmount(t: Test): Promise<void> {
  const { home, one, two } = await twoMounts(t);
  const [a, b, c] = (await lockers(t, [one, "rw"], [two, "rw"], [one, "rw"])) as [Locker, Locker, Locker];
  t.equal(await a.ask("flock f ex"), "ok");
  const [there, here] = [b.ask("flock f ex wait"), c.ask("flock f ex wait")];
  t.ok(await waits(there));
  t.ok(await waits(here));
  t.equal((await home.memfs("umount", "one")).code, 75, "busy");
  t.equal((await home.memfs("umount", "--force", "one")).code, 0);
  t.equal(await here, "ENOLCK", "who waits in the mount is told");
  t.equal(await there, "ok", "what it held is free for others");
  t.equal(await c.ask("lockf f ex"), "ENOLCK", "and it gets no more");
  await a.end();
  t.equal(await b.ask("flock f un"), "ok");
}

async function stop(t: Test): Promise<void> {
  const { home, one, two } = await twoMounts(t);
  const [a, b] = (await lockers(t, [one, "rw"], [two, "rw"])) as [Locker, Locker];
  t.equal(await a.ask("lockf f ex"), "ok");
  const waiting = b.ask("lockf f ex wait");
  t.ok(await waits(waiting));
  const began = Date.now();
  t.equal((await home.memfs("daemon", "stop")).code, 0);
  t.match(await waiting, /^(ok|ENOLCK|ENOTCONN|ECONNABORTED)$/, "answered");
  t.ok(Date.now() - began < 10_000);
  t.notMatch(await home.log(), /"level":"error"/);
}

const OVER_TWO_MOUNTS: Readonly<Record<string, (t: Test, place: Place) => Promise<void>>> = {
  "flock of the shell excludes over both mounts: waiting, -n and -w": shellLocks,
  "a counter that four processes raise under a lock loses nothing": counter,
  "a lock that was closed in one mount is free in the other": closedIsFree,
  "a lock of an open file stays when the process that took it ends": descriptorLocks,
  "fcntl locks ranges of bytes over both mounts": ranges,
  "two processes that wait for each other are told": deadlocks,
  "kill -9 of a holder frees every kind of lock": endings,
  "forks and closes free what they should and no more": closeTraps,
  "a signal ends a waiter": signals,
  "waiters cost nothing and are in nobody's way": manyWaiters,
  "a lock hands over what was written under it": handedOver,
};

if (requireFuse(t)) {
  await t.test("over two mounts of one store", async (t) => {
    const mounts = await twoMounts(t);
    for (const [name, test] of Object.entries(OVER_TWO_MOUNTS))
      await t.test(name, async (t) => test(t, await placeIn(mounts)));
    t.notMatch(await mounts.home.log(), /"level":"error"/);
  });
  await t.test("read-only mounts and removed files have locks", readOnly);
  await t.test("a forced unmount ends the locks and the waiting in that mount", forcedUnmount);
  await t.test("a stop of the daemon leaves nobody waiting", stop);
}
