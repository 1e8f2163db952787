import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rmdir, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import t from "tap";
import { currentDriver, eachDriver, nativeCannot } from "../fixtures/drivers.ts";
import { makeMountpoint, run, shell, until } from "../fixtures/fuse.ts";
import { MemoryMounts } from "../fixtures/memory-mounts.ts";

const fixture = (name: string): string => join(import.meta.dirname, "../fixtures", name);

/** A process that keeps `path` open until it is told to read the rest of it. */
async function holdOpen(t: Test, path: string) {
  const child = spawn("/bin/sh", ["-c", 'exec 9< "$1"; echo open; read go; cat <&9', "sh", path]);
  t.teardown(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return {
    async readRest(): Promise<string> {
      child.stdin.write("go\n");
      await once(child, "close");
      return output;
    },
  };
}

/** Starts {@link fixture} `serve-memory.ts` and waits until it serves. */
async function startServer(t: Test, directories: readonly string[]) {
  const child = spawn(process.execPath, ["--import=tsx", fixture("serve-memory.ts"), currentDriver(), ...directories]);
  t.teardown(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await until(() => output.includes("ready\n"));
  return { child, output: () => output };
}

async function ordinaryTools(t: Test): Promise<void> {
  const { directory } = await new MemoryMounts(t).mount();
  const script = `
    cd "$1"
    echo one > a; echo two >> a; cat a
    mkdir -p d/e; mv a d/e/b; ls d/e; ln -s e/b d/link; cat d/link; readlink d/link
    ln d/e/b hard; stat -c %h hard; sed -i s/one/1/ hard; head -1 hard
    chmod 640 hard; touch -d @1700000000.123 hard; stat -c '%a %.3Y' hard
    truncate -s 3 hard; stat -c %s hard; cp -a d copy; find copy | sort | tr '\\n' ' '; echo
    mkfifo pipe; test -p pipe; rm -r d copy pipe hard; ls -A; stat -f -c '%S %l' .`;
  const outcome = await shell(script, directory);
  t.equal(outcome.stderr, "");
  const copied = "copy copy/e copy/e/b copy/link ";
  const lines = ["one", "two", "b", "one", "two", "e/b", "2", "1", "640 1700000000.123", "3", copied, "4096 255", ""];
  t.strictSame(outcome.stdout.split("\n"), lines);
}

async function nanoseconds(t: Test): Promise<void> {
  if (nativeCannot(t, "nanoseconds")) return;
  const { directory } = await new MemoryMounts(t).mount();
  const script = 'touch -d @1700000000.123456789 "$1/f"; stat -c %.9Y "$1/f"';
  t.equal((await shell(script, directory)).stdout, "1700000000.123456789\n");
}

async function errnos(t: Test): Promise<void> {
  const { directory } = await new MemoryMounts(t).mount();
  const fails = async (script: string, message: RegExp): Promise<void> => {
    const { code, stderr } = await shell(script, directory);
    t.not(code, 0);
    t.match(stderr, message);
  };
  await fails('cat "$1/missing"', /No such file/);
  await fails('mkdir "$1/d"; touch "$1/d/f"; rmdir "$1/d"', /not empty/);
  await fails('mkdir "$1/d"', /exists/);
  await fails('rm "$1/d"', /directory/);
  await fails('ls "$1/d/f/x"', /Not a directory/);
}

async function names(t: Test): Promise<void> {
  const { directory } = await new MemoryMounts(t).mount();
  const long = "n".repeat(255);
  t.equal((await shell('echo x > "$1/$2"; cat "$1/$2"; rm "$1/$2"', directory, long)).stdout, "x\n");
  const tooLong = await shell('echo x > "$1/$2"', directory, `${long}n`);
  t.match(tooLong.stderr, /name too long/);
  t.match((await shell('stat "$1/$2"', directory, `${long}n`)).stderr, /name too long/);
  const bytes = await shell(`cd "$1"; f=$(printf '\\377\\001 \\n.x'); echo 1 > "$f"; ls -b; rm "$f"`, directory);
  t.equal(bytes.stdout, "\\377\\001\\ \\n.x\n");
}

async function largeFiles(t: Test): Promise<void> {
  const { directory } = await new MemoryMounts(t).mount();
  const script = `
    cd "$1"; dd if=/dev/urandom of=big bs=1M count=9 2>/dev/null
    sum=$(md5sum < big); cp big copy; test "$sum" = "$(md5sum < copy)"
    test "$sum" = "$(dd if=big bs=3333333 2>/dev/null | md5sum)"
    dd if=big of=direct bs=64k oflag=direct 2>/dev/null; test "$sum" = "$(md5sum < direct)"
    for i in $(seq 3000); do : > "f$i"; done; ls | wc -l; ls -l | wc -l; rm f*; ls | wc -l`;
  t.strictSame(await shell(script, directory), { code: 0, stdout: "3003\n3004\n3\n", stderr: "" });
}

async function mappedFiles(t: Test): Promise<void> {
  const { directory } = await new MemoryMounts(t).mount();
  const outcome = await shell('cp /bin/echo "$1/program"; "$1/program" ran', directory);
  t.equal(outcome.stdout, "ran\n", "a program is mapped to be run");
}

async function readOnly(t: Test): Promise<void> {
  const { directory } = await new MemoryMounts(t).mount({ readOnly: true });
  t.match((await shell('echo x > "$1/f"', directory)).stderr, /Read-only file system/);
  const options = (await run("findmnt", ["-n", "-o", "SOURCE,FSTYPE,OPTIONS", directory])).stdout;
  t.match(options, /^memfs:test +fuse\.memfs +ro,nosuid,nodev/);
}

async function manyMounts(t: Test): Promise<void> {
  const mounts = new MemoryMounts(t);
  const all = await Promise.all(Array.from({ length: 12 }, () => mounts.mount()));
  const outcomes = await Promise.all(
    all.map(({ directory }, index) =>
      shell('for i in $(seq 50); do echo "$2" > "$1/f$2"; done; cat "$1/f$2"', directory, String(index)),
    ),
  );
  t.strictSame(
    outcomes.map((outcome) => outcome.stdout),
    all.map((_mount, index) => `${String(index)}\n`),
  );
  for (const { directory } of all) t.equal((await shell('ls "$1" | wc -l', directory)).stdout, "12\n");
}

async function forgets(t: Test): Promise<void> {
  const { directory, view } = await new MemoryMounts(t).mount();
  await shell('cd "$1"; for i in $(seq 200); do echo $i > f$i; done; ls -l; cat *; rm f*', directory);
  await until(() => view.lookups.size === 0 && view.openHandles === 0);
  t.pass("every lookup and every handle came back");
}

async function unmountedByHand(t: Test): Promise<void> {
  const mounts = new MemoryMounts(t);
  const [one, other] = [await mounts.mount(), await mounts.mount()];
  await shell('echo x > "$1/f"; umount "$1"', one.directory);
  await one.attachment.ended;
  t.ok(one.view.detached);
  await one.attachment.detach({ lazy: false });
  t.equal((await shell('cat "$1/f"', other.directory)).stdout, "x\n", "the other mount serves on");
  t.notOk(other.view.detached);
  const again = await mounts.mount({ mountpoint: one.directory });
  t.equal((await shell('cat "$1/f"', again.directory)).stdout, "x\n", "and the place can be used again");
}

async function aborted(t: Test): Promise<void> {
  const { directory, attachment, view } = await new MemoryMounts(t).mount();
  await shell('echo content > "$1/f"', directory);
  const holder = await holdOpen(t, join(directory, "f"));
  t.match((await run("umount", ["-f", directory])).stderr, /busy/);
  await attachment.ended;
  t.ok(view.detached);
  t.equal(await holder.readRest(), "");
}

async function busyAndLazy(t: Test): Promise<void> {
  const { directory, attachment, view } = await new MemoryMounts(t).mount();
  await shell('echo content > "$1/f"', directory);
  const holder = await holdOpen(t, join(directory, "f"));
  await t.rejects(attachment.detach({ lazy: false }), { code: "mountpoint_busy" });
  t.equal((await shell('cat "$1/f"', directory)).stdout, "content\n", "a refused unmount changes nothing");
  await attachment.detach({ lazy: true });
  t.equal((await shell('ls "$1"', directory)).stdout, "", "the place is free at once");
  t.notOk(view.detached, "what is open is served on");
  t.equal(await holder.readRest(), "content\n");
  await attachment.ended;
  t.ok(view.detached);
}

async function closing(t: Test): Promise<void> {
  const mounts = new MemoryMounts(t);
  const { directory, attachment, view } = await mounts.mount();
  await shell('echo content > "$1/f"', directory);
  const holder = await holdOpen(t, join(directory, "f"));
  await Promise.all([mounts.driver.close(), mounts.driver.close()]);
  await attachment.ended;
  t.ok(view.detached);
  t.equal(await holder.readRest(), "", "what was open fails");
  await t.rejects(mounts.mount(), { code: "closed" });
}

async function unusablePlaces(t: Test): Promise<void> {
  const mounts = new MemoryMounts(t);
  const directory = await mkdtemp(join(tmpdir(), "mfm-"));
  const file = join(directory, "file");
  await writeFile(file, "");
  t.teardown(async () => {
    await unlink(file);
    await rmdir(directory);
  });
  await t.rejects(mounts.mount({ mountpoint: join(directory, "missing") }), { code: "mountpoint_missing" });
  await t.rejects(mounts.mount({ mountpoint: file }), { code: "mountpoint_unusable" });
  await t.rejects(mounts.mount({ mountpoint: join(file, "below") }), { code: "mountpoint_unusable" });
  const broken = () => {
    throw new Error("no filesystem");
  };
  const mountpoint = await makeMountpoint(t);
  await t.rejects(mounts.mount({ mountpoint, filesystem: broken }), /no filesystem/);
  t.not((await run("mountpoint", ["-q", mountpoint])).code, 0, "nothing is left mounted");
}

async function slowAnswers(t: Test): Promise<void> {
  const { directory, view } = await new MemoryMounts(t).mount();
  let finish: () => void = () => undefined;
  view.onFsync = () => new Promise((resolve) => (finish = resolve));
  let done = false;
  const syncing = run("dd", ["if=/dev/zero", `of=${join(directory, "f")}`, "bs=1", "count=1", "conv=fsync"]);
  void syncing.then(() => (done = true));
  await until(async () => (await shell('stat -c %s "$1/f" 2>/dev/null || true', directory)).stdout === "1\n");
  t.equal((await shell('echo x > "$1/g"; cat "$1/g"', directory)).stdout, "x\n", "others are served meanwhile");
  t.notOk(done);
  await until(() => {
    finish();
    return done;
  });
  t.equal((await syncing).code, 0);
}

async function pressure(t: Test): Promise<void> {
  const mounts = new MemoryMounts(t);
  const [one, other] = [await mounts.mount(), await mounts.mount()];
  one.view.press();
  let done = false;
  const writing = shell('echo x > "$1/f"', one.directory);
  void writing.then(() => (done = true));
  t.equal((await shell('for i in $(seq 100); do echo $i > "$1/g"; done; cat "$1/g"', other.directory)).stdout, "100\n");
  t.notOk(done, "the pressed mount's requests wait at the door");
  one.view.relieve();
  t.equal((await writing).code, 0);
}

async function eventLoop(t: Test): Promise<void> {
  const { directory } = await new MemoryMounts(t).mount();
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const started = Date.now();
  t.equal((await shell('for i in $(seq 5000); do : > "$1/f"; done', directory)).code, 0);
  clearInterval(timer);
  const milliseconds = Date.now() - started;
  t.ok(turns > milliseconds / 50, `${String(turns)} turns of a timer in ${String(milliseconds)} ms`);
}

async function idle(t: Test): Promise<void> {
  const server = await startServer(t, [await makeMountpoint(t), await makeMountpoint(t)]);
  const times = async (): Promise<number> => {
    const seen = server.output().length;
    server.child.kill("SIGUSR2");
    await until(() => server.output().indexOf("\n", seen) > 0);
    return Number(server.output().slice(seen).replace("cpu ", ""));
  };
  // The just-in-time compiler and the garbage collector finish first.
  await until(async () => {
    const before = await times();
    await new Promise((resolve) => setTimeout(resolve, 500));
    return (await times()) - before < 5000;
  });
  t.pass("less than one percent of a CPU while nobody asks");
  server.child.kill("SIGTERM");
  await once(server.child, "exit");
  t.equal(server.child.exitCode, 0, "closed, nothing keeps the process");
}

async function exits(t: Test): Promise<void> {
  const directory = await makeMountpoint(t);
  const { child } = await startServer(t, [directory]);
  await shell('echo x > "$1/f"', directory);
  child.kill("SIGINT");
  await once(child, "exit");
  t.equal(child.exitCode, 0);
}

async function pinned(t: Test): Promise<void> {
  const directory = await makeMountpoint(t);
  const { child } = await startServer(t, [directory]);
  await run("taskset", ["-a", "-p", "-c", "0", String(child.pid)]);
  const outcome = await run("taskset", [
    "-c",
    "0",
    "/bin/sh",
    "-c",
    `cd ${directory}; for i in $(seq 300); do echo $i > f; done; cat f`,
  ]);
  t.equal(outcome.stdout, "300\n");
}

async function all(t: Test): Promise<void> {
  await t.test("ordinary tools work", ordinaryTools);
  await t.test("times keep their nanoseconds", nanoseconds);
  await t.test("refusals reach the tools as errnos", errnos);
  await t.test("names of 255 bytes work, any bytes, and longer ones are refused", names);
  await t.test("files and directories larger than one request work", largeFiles);
  await t.test("files can be mapped", mappedFiles);
  await t.test("a read-only mount is read-only in the kernel too, and is shown as ours", readOnly);
  await t.test("many mounts are served at once", manyMounts);
  await t.test("the kernel gives back every lookup and handle", forgets);
  await t.test("an unmount by hand ends the attachment and nothing else", unmountedByHand);
  await t.test("an aborted connection ends the attachment", aborted);
  await t.test("a busy mount is not detached, except lazily", busyAndLazy);
  await t.test("closing the driver detaches what is left, also while files are open", closing);
  await t.test("a place that cannot be mounted on is refused and left alone", unusablePlaces);
  await t.test("an answer that waits holds nobody else up", slowAnswers);
  await t.test("a pressed filesystem holds up its own mount only", pressure);
  await t.test("timers have their turn while a client asks without a pause", eventLoop);
  await t.test("an idle driver uses no CPU and lets the process end when closed", idle);
  await t.test("a process that exits without closing does not hang", exits);
  await t.test("everything works on one CPU", pinned);
}

await eachDriver(t, all);
