/** Two agents, one file, real mounts: what does not go together, and how a person ends it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import type { Conflict, Draft, MemoryVersion } from "../../lib/api.ts";
import { requireFuse, until } from "../fixtures/fuse.ts";
import { testHome } from "../fixtures/home.ts";

const exec = promisify(execFile);

/** Files are touched by other processes: a test must not wait for a mount of its own daemon. */
async function sh(script: string): Promise<{ stdout: string; code: number }> {
  try {
    return { stdout: (await exec("sh", ["-c", script], { timeout: 20_000 })).stdout, code: 0 };
  } catch (error) {
    return { stdout: "", code: (error as { code: number }).code };
  }
}

async function twoMounts(t: Test) {
  const home = await testHome(t);
  const a = await home.directory("a");
  const b = await home.directory("b");
  await home.memfs("mount", "notes", a, "--create", "--agent", "scout", "--session", "s-a");
  await home.memfs("mount", "notes", b, "--agent", "editor", "--session", "s-b");
  await sh(`printf 'title\\n\\none\\ntwo\\n' > ${a}/f.md; cat ${a}/f.md ${b}/f.md`);
  return { home, a, b };
}

t.test("two agents rewrite one file through two mounts: nothing is lost, each line has its author", async (t) => {
  if (!requireFuse(t)) return;
  const { home, a, b } = await twoMounts(t);
  await sh(`printf 'title\\n\\none\\ntwo\\nthree\\n' > ${b}/f.md`);
  await sh(`printf 'TITLE\\n\\none\\ntwo\\n' > ${a}/f.md`);
  for (const place of [a, b]) t.equal((await sh(`cat ${place}/f.md`)).stdout, "TITLE\n\none\ntwo\nthree\n", place);
  const blame = await home.json<{ lines: { text: string; session_id: string }[] }>("blame", "notes:/f.md");
  t.strictSame(
    blame.lines.map(({ text, session_id: session }) => `${text} ${session}`),
    ["TITLE s-a", " s-a", "one s-a", "two s-a", "three s-b"],
  );
});

t.test("a conflict is listed and resolved", async (t) => {
  if (!requireFuse(t)) return;
  const { home, a, b } = await twoMounts(t);
  await sh(`printf 'title\\n\\nONE\\ntwo\\n' > ${b}/f.md; printf 'title\\n\\neins\\ntwo\\n' > ${a}/f.md`);
  t.equal((await sh(`cat ${a}/f.md`)).stdout, "title\n\nONE\ntwo\n");
  t.strictSame((await sh(`ls ${a}`)).stdout, "f.conflict-s-a.md\nf.md\n");
  const [conflict] = await home.json<Conflict[]>("conflicts", "notes");
  t.match(conflict, { path: "/f.md", beside: { path: "/f.conflict-s-a.md", session_id: "s-a" } });
  t.match((await home.memfs("conflicts", "notes")).stdout, /\/f\.md {2}\/f\.conflict-s-a\.md {2}s-a\n$/);
  const merged = join(home.place, "merged");
  await writeFile(merged, "title\n\nONE, eins\ntwo\n");
  const resolved = await home.memfs("resolve", `${a}/f.md`, "--take", merged, "--note", "both");
  t.match(resolved, { code: 0, stdout: /^\/f\.md has .*; \/f\.conflict-s-a\.md is deleted\n$/ });
  t.equal((await sh(`cat ${b}/f.md`)).stdout, await readFile(merged, "utf8"));
  t.strictSame((await sh(`ls ${b}`)).stdout, "f.md\n");
  t.match(await home.json<MemoryVersion[]>("log", "notes:/f.md"), [{ note: "both" }, {}, {}]);
});

t.test("a conflict that cannot be resolved says why, and changes nothing", async (t) => {
  if (!requireFuse(t)) return;
  const { home, a, b } = await twoMounts(t);
  const none = await home.memfs("resolve", "notes:/f.md", "--take", "mine");
  t.match(none, { code: 66, stderr: /is in no conflict; see: memfs conflicts\n$/ });
  await sh(`printf 'ONE\\n' > ${b}/f.md; printf 'eins\\n' > ${a}/f.md; cat ${b}/f.md; printf 'UNO\\n' > ${b}/f.md`);
  const stale = await home.memfs("resolve", "notes:/f.md", "--take", "mine");
  t.match(stale, { code: 75, stderr: /was changed since .* --force\n$/ });
  const missing = await home.memfs("resolve", "notes:/f.md", "--take", "no-such-file");
  t.match(missing, { code: 64, stderr: /--take is mine, theirs or a file with the text; no-such-file: ENOENT\n$/ });
  t.match(await home.memfs("conflicts", "notes:/f.md"), { code: 64 });
  t.equal((await sh(`cat ${a}/f.md`)).stdout, "UNO\n");
  t.equal((await home.memfs("resolve", "notes:/f.md", "--take", "mine", "--force")).code, 0);
  t.equal((await sh(`cat ${b}/f.md`)).stdout, "eins\n");
});

t.test("a store that refuses conflicts fails the close, and the draft is kept", async (t) => {
  if (!requireFuse(t)) return;
  const { home, a, b } = await twoMounts(t);
  await home.memfs("store", "policy", "notes", "on_conflict=refuse");
  await sh(`printf 'ONE\\n' > ${b}/f.md`);
  t.not((await sh(`dd if=/dev/zero bs=3 count=1 2>/dev/null | tr '\\0' x | dd of=${a}/f.md 2>/dev/null`)).code, 0);
  const [draft] = await home.json<Draft[]>("drafts");
  t.match(draft, { path: "/f.md", session_id: "s-a", size_bytes: 3, refused: true, open: false });
  t.match((await home.memfs("drafts")).stdout, /\/f\.md {2}3 B {2}refused {2}scout\/s-a/);
  t.match((await sh(`cat ${a}/.memfs/errors`)).stdout, /the draft is kept: memfs drafts/);
  t.equal((await home.memfs("drafts", "save", `${a}/f.md`)).code, 0);
  t.equal((await sh(`cat ${a}/f.md`)).stdout, "ONE\n");
  t.equal((await sh(`cat ${b}/f.conflict-s-a.md`)).stdout, "xxx");
  t.strictSame(await home.json<Draft[]>("drafts"), []);
  t.match(await home.memfs("drafts", "discard", `${a}/f.md`), { code: 66, stderr: /has no draft; see: memfs drafts/ });
});

t.test("a refused draft can be discarded, when no program has it open", async (t) => {
  if (!requireFuse(t)) return;
  const { home, a, b } = await twoMounts(t);
  await home.memfs("store", "policy", "notes", "on_conflict=refuse");
  const holding = `const { closeSync, openSync, writeSync } = require("node:fs"); const fd = openSync(process.argv[1], "w");
    writeSync(fd, "xxx"); console.log("written"); process.stdin.resume().on("end", () => closeSync(fd));`;
  const writer = spawn(process.execPath, ["-e", holding, `${a}/f.md`]);
  t.teardown(() => writer.kill());
  await once(writer.stdout, "data");
  await sh(`printf 'ONE\\n' > ${b}/f.md`);
  t.match(await home.json<Draft[]>("drafts"), [{ open: true, refused: false, size_bytes: 3 }]);
  t.match(await home.memfs("drafts", "discard", `${a}/f.md`), { code: 75, stderr: /is open for writing; / });
  writer.stdin.end();
  await once(writer, "exit");
  await until(async () => (await home.json<Draft[]>("drafts")).some(({ refused }) => refused));
  const discarded = await home.memfs("drafts", "discard", "notes:/f.md", "--session", "s-a");
  t.match(discarded, { code: 0, stdout: /^the draft of \/f\.md is gone/ });
  t.equal((await sh(`cat ${a}/f.md`)).stdout, "ONE\n");
  t.equal((await sh(`ls ${a}`)).stdout, "f.md\n");
});
