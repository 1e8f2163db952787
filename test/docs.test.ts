import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import t from "tap";
import type { Register } from "../cli/command.ts";
import { Context } from "../cli/context.ts";
import { createServer } from "../daemon/http/server.ts";
import type { Services } from "../daemon/http/services.ts";
import { ERRORS } from "../lib/errors.ts";
import { createIdSource } from "../lib/id.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { NATIVE_CANNOT } from "./fixtures/drivers.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const PAGES = readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`);
const OTHERS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md"];

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Cells of the table rows whose first cell is code, without the backticks of that cell. */
function codeRows(text: string): string[][] {
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  return rows.map((row) => {
    const [, first = "", ...rest] = row.split("|").map((cell) => cell.trim());
    return [first.replaceAll("`", ""), ...rest];
  });
}

t.test("the table of errors is the code's", async (t) => {
  const documented = codeRows(read("docs/errors.md")).map((row) => row.slice(0, 5).join(" "));
  const actual = Object.entries(ERRORS).map(
    ([code, { errno, status, type, exit }]) => `${code} \`${errno}\` ${status} \`${type}\` ${exit}`,
  );
  t.strictSame(documented, actual);
});

/** Words of a command → its flags, without those that every command has. */
async function commandsOf(): Promise<Map<string, Set<string>>> {
  const program = new Command("memfs");
  for (const name of readdirSync(join(ROOT, "cli/commands"))) {
    const { register } = (await import(`../cli/commands/${name}`)) as { register: Register };
    register(program, new Context({ MEMFS_HOME: "/nonexistent" }));
  }
  const found = new Map<string, Set<string>>();
  const visit = (command: Command, words: string): void => {
    if (command.commands.length > 0) {
      for (const child of command.commands) visit(child, `${words} ${child.name()}`);
      return;
    }
    const flags = command.options.flatMap(({ long, short }) => [long, short]);
    found.set(words, new Set(flags.filter((flag) => typeof flag === "string").filter((flag) => flag !== "--json")));
  };
  visit(program, "memfs");
  return found;
}

/** The same from the page: a section per command, flags as code. */
function documentedCommands(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const section of text.split(/^### /m).slice(1)) {
    const [heading = "", ...body] = section.split("\n");
    const words = heading.replaceAll("`", "").split(" ");
    const command = words.filter((word) => /^[a-z]+$/.test(word)).join(" ");
    const flags = body.join("\n").match(/(?<=`)(--[a-z-]+|-[a-z])\b/g) ?? [];
    found.set(command, new Set(flags));
  }
  return found;
}

t.test("every command has its section, with all of its flags and no others", async (t) => {
  const actual = await commandsOf();
  const documented = documentedCommands(read("docs/cli.md"));
  t.strictSame([...documented.keys()].sort(), [...actual.keys()].sort());
  for (const [command, flags] of actual) {
    t.strictSame([...(documented.get(command) ?? [])].sort(), [...flags].sort(), command);
  }
});

/** `METHOD /path` of every route the server has; HEAD goes with each GET. */
async function routesOf(): Promise<string[]> {
  const server = createServer({ ids: createIdSource(systemClock), log: silentLog } as Services);
  await server.ready();
  const found: string[] = [];
  const above: string[] = [];
  for (const line of server.printRoutes({ commonPrefix: false }).split("\n")) {
    const match = /^([│ ]*)[├└]── (\S+)(?: \((.*)\))?$/.exec(line);
    if (match === null) continue;
    const [, indent = "", part = "", methods = ""] = match;
    above.splice(indent.length / 4);
    above.push(part);
    // The tree cuts where routes part, so a wildcard stands without the text before it.
    const path = above.join("").replace("/:store*", "/:store/files/*");
    for (const method of methods.split(", ").filter((name) => name !== "" && name !== "HEAD")) {
      found.push(`${method} ${path}`);
    }
  }
  await server.close();
  return found.sort();
}

t.test("every route is in the table of routes, and no other", async (t) => {
  const rows = codeRows(read("docs/api.md")).map(([route = ""]) => route);
  const documented = rows.map((route) => route.replace("{path}", "*").replaceAll(/\{(\w+)\}/g, ":$1"));
  t.strictSame(documented.sort(), await routesOf());
});

t.test("the table of journal kinds is the code's", async (t) => {
  const [, kinds = ""] = /const KINDS = Object\.freeze\(\{(.*?)\}\)/s.exec(read("lib/store/journal.ts")) ?? [];
  const actual = [...kinds.matchAll(/"?([\w.]+)"?: (\d+),/g)].map(([, name = "", number = ""]) => `${number} ${name}`);
  const rows = read("docs/storage-format.md").matchAll(/^\| (\d+) +\| `([\w.]+)` +\| (?:yes|no) /gm);
  const documented = [...rows].map(([, number = "", name = ""]) => `${number} ${name}`);
  t.ok(actual.length > 0);
  t.strictSame(documented, actual);
});

/** The anchor of a heading, as code hosts make it. */
function anchorOf(heading: string): string {
  const plain = heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "");
  return plain.replaceAll(" ", "-");
}

function anchorsOf(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
}

t.test("links lead somewhere", async (t) => {
  for (const page of [...PAGES, ...OTHERS]) {
    for (const [, link = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page : join(dirname(page), file);
      t.ok(existsSync(join(ROOT, target)), `${page}: ${link}`);
      if (anchor !== undefined) t.ok(anchorsOf(target).includes(anchor), `${page}: ${link}`);
    }
  }
});

t.test("files and names of the code that the pages point to exist", async (t) => {
  for (const page of PAGES) {
    const text = read(page);
    const files = text.matchAll(/`((?:lib|daemon|cli|test)\/[\w./-]+)`/g);
    for (const [, file = ""] of files) t.ok(existsSync(join(ROOT, file)), `${page}: ${file}`);
    for (const [, name = "", file = ""] of text.matchAll(/`([\w.]+)`\s+in\s+`([\w./-]+\.ts)`/g)) {
      const source = existsSync(join(ROOT, file)) ? read(file) : "";
      const parts = name.split(".");
      t.ok(
        parts.every((part) => new RegExp(`\\b${part}\\b`).test(source)),
        `${page}: ${name} in ${file}`,
      );
    }
  }
});

t.test("what the native driver cannot do, for the tests, is said on the page of drivers", async (t) => {
  for (const reason of Object.values(NATIVE_CANNOT)) t.ok(read("docs/drivers.md").includes(reason), reason);
});
