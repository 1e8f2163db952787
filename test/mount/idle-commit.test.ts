/** In a file of its own: it takes no processor but half a minute, while others run. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { requireFuse, shell } from "../fixtures/fuse.ts";
import { testHome } from "../fixtures/home.ts";
import { problemsIn } from "../fixtures/sound.ts";

t.test("a file that stays open is committed after half a minute", async (t) => {
  if (!requireFuse(t)) return;
  const home = await testHome(t);
  const mountpoint = await home.directory("notes");
  await home.memfs("mount", "--create", "notes", "notes");
  const writer = spawn("/bin/sh", ["-c", 'exec >> "$1/log"; echo first; read -r next; echo second', "sh", mountpoint]);
  t.teardown(() => writer.kill("SIGKILL"));
  const written = 'until grep -q first "$1/log" 2> /dev/null; do sleep 0.1; done';
  t.equal((await shell(written, mountpoint)).code, 0, "in its own mount at once");
  t.equal((await shell('grep -c log@ "$1/.memfs/log" || true', mountpoint)).stdout, "0\n", "and in no version yet");
  const listed = 'until grep -q "log@1 " "$1/.memfs/log"; do sleep 0.5; done';
  t.equal((await shell(listed, mountpoint)).code, 0);
  await home.kill();
  t.equal((await home.memfs("mount", "notes", mountpoint)).code, 0);
  t.equal(await readFile(join(mountpoint, "log"), "utf8"), "first\n");
  t.equal((await home.memfs("daemon", "stop")).code, 0);
  t.strictSame(await problemsIn(home.home.dir), []);
});
