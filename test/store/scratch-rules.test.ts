import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { ScratchRules } from "../../lib/store/tree/scratch-rules.ts";
import { DEFAULT_POLICY } from "../../lib/store/policy.ts";

/** What the rules say about a file, by its whole path: the directories above first. */
function isScratch(rules: ScratchRules, path: string): boolean {
  const segments = path.split("/");
  let directory = "";
  for (const [index, name] of segments.entries()) {
    const isDirectory = index < segments.length - 1;
    if (rules.matches({ directory, name, isDirectory })) return true;
    directory += `${name}/`;
  }
  return false;
}

/** An empty repository, to ask git what its patterns mean. */
function repository(t: Test): (patterns: readonly string[], paths: readonly string[]) => Set<string> {
  const dir = mkdtempSync(join(tmpdir(), "memfs-gitignore-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  execFileSync("git", ["init", "-q", dir]);
  return (patterns, paths) => {
    writeFileSync(join(dir, ".git/info/exclude"), patterns.join("\n"));
    const input = paths.map((path) => `${path}\0`).join("");
    const args = ["-C", dir, "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z", "--stdin"];
    try {
      return new Set(execFileSync("git", args, { input, encoding: "utf8", stdio: "pipe" }).split("\0"));
    } catch (error) {
      // Exit code 1: none is ignored.
      if ((error as { status?: number }).status === 1) return new Set();
      throw error;
    }
  };
}

t.test("the default patterns", async (t) => {
  const rules = new ScratchRules(DEFAULT_POLICY.scratch);
  const scratch = [
    ".git/HEAD",
    "a/.git/objects/ab/cd",
    "node_modules/x/index.js",
    "a.swp",
    "d/.f.swp",
    "4913",
    "notes.md~",
    ".#lock",
    "#auto#",
    ".tmp-12-ab",
    ".fs-00ff.tmp",
    "x.tmp",
    ".nfs0001",
  ];
  const memories = [
    ".git",
    "a.md",
    "node_modules",
    "49131",
    "a~b",
    "#auto",
    "x.tmp2",
    "tmp",
    ".gitignore",
    "sedAbC123",
  ];
  for (const path of scratch) t.equal(isScratch(rules, path), true, path);
  for (const path of memories) t.equal(isScratch(rules, path), false, path);
});

t.test("names are bytes", async (t) => {
  const rules = new ScratchRules(["é*", "?.x", "[é]"]);
  const bytes = (text: string): string => Buffer.from(text).toString("latin1");
  t.equal(isScratch(rules, bytes("été")), true);
  t.equal(isScratch(rules, bytes("é.x")), true, "by the first pattern");
  t.equal(isScratch(rules, bytes("ü.x")), false, "two bytes, as for git");
  t.equal(isScratch(rules, "\xff.x"), true, "not UTF-8");
  t.equal(isScratch(rules, "a\n.x"), false);
});

t.test("git agrees on every kind of pattern", async (t) => {
  const ask = repository(t);
  const patterns = [
    "/top",
    "mid/dle",
    "deep/**/end",
    "**/any",
    "tail/**",
    "dir/",
    "*.o",
    "!keep.o",
    "a?c",
    "[a-c]1",
    "[!a-c]2",
    "[[:digit:]]x",
    "[]q]3",
    "\\!bang",
    "\\#hash",
    "space\\ ",
    "trail   ",
    "x**y",
    "[unclosed",
    "end\\",
    "z/*",
    "[z-a]9",
    "[\\]]5",
  ];
  const paths = [
    "top", "d/top", "mid/dle", "d/mid/dle", "deep/end", "deep/a/b/end", "deepend", "any", "a/b/any", "tail/x", "tail/x/y",
    "d/tail/x", "dir", "dir/x", "a/dir/x", "x.o", "keep.o", "a/keep.o", "dir/keep.o", "abc", "ac", "a/c", "a1", "d1",
    "a2", "d2", "5x", "xx", "]3", "q3", "a3", "!bang", "#hash", "space ", "space", "trail", "trail   ", "xy", "xaay",
    "[unclosed", "end", "end\\", "z/a", "z/a/b", "q/z/a", "z9", "a9", "]5", "\\5", "other",
  ]; // prettier-ignore
  const ignored = ask(patterns, paths);
  const rules = new ScratchRules(patterns);
  for (const path of paths) t.equal(isScratch(rules, path), ignored.has(path), path);
});

t.test("git agrees on random patterns", async (t) => {
  const ask = repository(t);
  const piece = fc.constantFrom("a", "b", "*", "**", "?", "/", "[ab]", "[!a]", "\\*", ".");
  const pattern = fc.tuple(fc.constantFrom("", "", "!", "/"), fc.array(piece, { minLength: 1, maxLength: 5 }));
  const line = pattern
    .map(([start, rest]) => start + rest.join(""))
    // Git cuts the plain start off and then takes `a**/b` for `**/b`, against what gitignore(5) says.
    .filter((text) =>
      text
        .replace(/^!/, "")
        .split("/")
        .every((part) => part === "**" || !part.includes("**")),
    );
  const patterns = fc.array(line, { minLength: 1, maxLength: 4 });
  const name = fc.stringMatching(/^[ab]{1,3}$/);
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
  fc.assert(
    fc.property(patterns, fc.uniqueArray(path, { minLength: 10, maxLength: 20 }), (lines, paths) => {
      const ignored = ask(lines, paths);
      const rules = new ScratchRules(lines);
      for (const one of paths) {
        if (isScratch(rules, one) !== ignored.has(one)) throw new Error(`${JSON.stringify(lines)} on ${one}`);
      }
    }),
    { numRuns: 150 },
  );
  t.pass("no difference");
});
