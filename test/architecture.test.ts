import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix } from "node:path";
import t from "tap";
import ts from "typescript";

/** Path from the project's root → text. */
type Sources = ReadonlyMap<string, string>;

/**
 * The parts, and which others each may import. A file belongs to the longest entry that is its path or a folder above.
 * `lib` alone means the words all parts share: errors, clock, ids, log, wire types.
 */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  "lib/index.ts": ["lib", "lib/kv", "lib/store", "lib/vfs"],
  "lib/kv": ["lib"],
  "lib/text": ["lib"],
  "lib/store": ["lib", "lib/text", "lib/kv/kv.ts", "lib/kv/batch.ts", "lib/kv/layout.ts"],
  "lib/vfs": ["lib", "lib/store"],
  daemon: ["lib", "lib/kv", "lib/store", "lib/vfs", "daemon/fuse", "daemon/http"],
  "daemon/fuse": ["lib", "lib/vfs"],
  "daemon/http": ["lib", "lib/store", "lib/vfs", "daemon"],
  cli: ["lib"],
};

/** Packages, and the places that may import each. `lib` imports none but these. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  level: ["lib/kv"],
  "node-diff3": ["lib/text"],
  koffi: ["daemon", "lib/store/crypto/openssl.ts"],
  "fuse-native": ["daemon/fuse/native"],
  fastify: ["daemon/http"],
  "@fastify/type-provider-typebox": ["daemon/http"],
  typebox: ["daemon/http"],
  commander: ["cli"],
};

const MAX_LINES = 400;

function within(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

function longest(file: string, names: readonly string[]): string | undefined {
  return names.filter((name) => within(file, name)).sort((a, b) => b.length - a.length)[0];
}

/** What a file imports, whichever way: static, type, dynamic, re-export, require. */
function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName);
}

function wrongArrow(file: string, target: string): string | null {
  if (target.startsWith("node:") || builtinModules.includes(target)) return null;
  if (!target.startsWith(".")) {
    const name = target.split("/", target.startsWith("@") ? 2 : 1).join("/");
    const places = PACKAGES[name] ?? [];
    return places.some((place) => within(file, place)) ? null : `${file} imports the package ${name}`;
  }
  const parts = Object.keys(PARTS);
  const to = posix.join(dirname(file), target);
  const own = longest(file, parts) ?? "";
  const allowed = [own, ...(PARTS[own] ?? [])];
  // The folder that counts is the closest one: `lib` allows lib/errors.ts and not lib/store/store.ts.
  const matched = longest(to, [...parts, ...allowed]);
  return matched !== undefined && allowed.includes(matched) ? null : `${file} imports ${to}`;
}

/** The first cycle through each file, as a chain of files. */
function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const chain: string[] = [];
  function visit(file: string): void {
    const at = chain.indexOf(file);
    if (at >= 0) found.push([...chain.slice(at), file].join(" → "));
    if (at >= 0 || done.has(file)) return;
    chain.push(file);
    for (const target of importsOf(sources.get(file) ?? "")) {
      if (target.startsWith(".")) visit(posix.join(dirname(file), target));
    }
    chain.pop();
    done.add(file);
  }
  for (const file of sources.keys()) visit(file);
  return found;
}

function wrongArrows(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    importsOf(text)
      .map((target) => wrongArrow(file, target))
      .filter((problem) => problem !== null),
  );
}

const ROOT = join(import.meta.dirname, "..");

function read(...folders: string[]): Sources {
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  );
  const sources = files.filter((file) => /\.(ts|mjs|c)$/.test(file)).sort();
  return new Map(sources.map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));
}

t.test("imports follow the arrows of the architecture", async (t) => {
  const sources = read("lib", "daemon", "cli");
  t.ok(sources.has("lib/errors.ts"), "the sources were found");
  t.strictSame(wrongArrows(sources), []);
});

t.test("no files import each other in a circle", async (t) => {
  t.strictSame(cycles(read("lib", "daemon", "cli", "test", "bench", "scripts")), []);
});

t.test("no file is longer than one sitting", async (t) => {
  const sources = read("lib", "daemon", "cli", "test", "bench", "scripts");
  const long = [...sources].filter(([, text]) => text.split("\n").length - 1 > MAX_LINES).map(([file]) => file);
  t.strictSame(long, []);
});

t.test("every way to import against an arrow is noticed", async (t) => {
  const cases: [file: string, text: string][] = [
    ["lib/store/a.ts", `import { Level } from "level";`],
    ["lib/store/b.ts", `import { openLevel } from "../kv/level.ts";`],
    ["lib/kv/c.ts", `import type { Store } from "../store/store.ts";`],
    ["lib/d.ts", `export { serve } from "../daemon/http/server.ts";`],
    ["lib/e.ts", `type S = import("./store/store.ts").Store;`],
    ["cli/f.ts", `const daemon = await import("../daemon/daemon.ts");`],
    ["cli/g.ts", `export * from "../lib/store/store.ts";`],
    ["daemon/h.ts", `import fastify from "fastify";`],
    ["daemon/fuse/i.ts", `import { server } from "../http/server.ts";`],
    ["lib/vfs/j.ts", `import type { Kv } from "../kv/kv.ts";`],
  ];
  for (const [file, text] of cases) t.equal(wrongArrows(new Map([[file, text]])).length, 1, `${file}: ${text}`);
});

t.test("what the architecture allows passes", async (t) => {
  const sources: Sources = new Map([
    ["lib/store/a.ts", `import type { Kv } from "../kv/kv.ts"; import { b } from "./b.ts"; import fs from "node:fs";`],
    ["daemon/daemon.ts", `import { openLevel } from "../lib/kv/level.ts"; import { Driver } from "./fuse/driver.ts";`],
    ["daemon/http/c.ts", `import type { Mounts } from "../mounts.ts"; import fastify from "fastify";`],
    ["cli/d.ts", `import { MemfsError } from "../lib/errors.ts"; // import "../daemon/daemon.ts"`],
  ]);
  t.strictSame(wrongArrows(sources), []);
});

t.test("a circle is noticed", async (t) => {
  const sources: Sources = new Map([
    ["lib/a.ts", `import { b } from "./b.ts";`],
    ["lib/b.ts", `export * from "./c/c.ts";`],
    ["lib/c/c.ts", `import type { a } from "../a.ts";`],
  ]);
  t.strictSame(cycles(sources), ["lib/a.ts → lib/b.ts → lib/c/c.ts → lib/a.ts"]);
});
