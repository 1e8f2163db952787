import t from "tap";
import type { DiffSide, FileDiff } from "../../lib/api.ts";
import { patchOf } from "../../lib/patch.ts";

const side = (path: string, changes: Partial<DiffSide> = {}): DiffSide => ({
  path,
  path_exact: true,
  mode: "100644",
  memory_id: "mem_1",
  memory_version_id: "memver_1",
  n: 1,
  content_sha256: "",
  ...changes,
});

function written(file: Partial<FileDiff>): string[] {
  const lines = [...patchOf({ from: null, to: null, kind: "text", hunks: [], ...file })];
  return lines.map(({ role, bytes }) => `${role}: ${bytes.toString("latin1")}`);
}

t.test("a move and a mode are said in the words of git, with the ids of the versions", async (t) => {
  const from = side("/a b");
  const to = side("/c", { mode: "100755", memory_version_id: "memver_2" });
  t.strictSame(written({ from, to }), [
    "header: diff --git a/a b b/c",
    "header: old mode 100644",
    "header: new mode 100755",
    "header: rename from a b",
    "header: rename to c",
    "header: index memver_1..memver_2",
  ]);
});

t.test("what came, what went, and links are told apart", async (t) => {
  const link = side("/l", { mode: "120777", memory_id: null, memory_version_id: null });
  t.strictSame(written({ to: side("/new") }), [
    "header: diff --git a/new b/new",
    "header: new file mode 100644",
    "header: index none..memver_1",
  ]);
  t.strictSame(written({ from: link }), ["header: diff --git a/l b/l", "header: deleted file mode 120777"]);
});

t.test("where nothing can be compared it is said why", async (t) => {
  const sides = { from: side("/f"), to: side("/f", { memory_version_id: "memver_2" }) };
  const last = (kind: FileDiff["kind"]): string | undefined => written({ ...sides, kind }).at(-1);
  t.equal(last("binary"), "header: Binary files a/f and b/f differ");
  t.equal(last("too_large"), "header: Files a/f and b/f differ, and are too large to say where");
  t.equal(last("damaged"), "header: Files a/f and b/f cannot be compared: one is damaged");
});

t.test("lines keep their bytes, and one line is the default of a range", async (t) => {
  const lines = [
    { kind: "removed", text: "ä", no_newline: true },
    { kind: "added", text: null, text_base64: Buffer.from([0xff, 0x0d]).toString("base64") },
  ] as const;
  const hunks = [{ from_line: 1, from_count: 1, to_line: 1, to_count: 1, lines }];
  t.strictSame(written({ from: side("/a b"), to: side("/a b"), hunks }).slice(2), [
    "header: --- a/a b\t",
    "header: +++ b/a b\t",
    "hunk: @@ -1 +1 @@",
    `removed: -${Buffer.from("ä").toString("latin1")}`,
    "remark: \\ No newline at end of file",
    "added: +\xff\r",
  ]);
});
