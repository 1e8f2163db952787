import t, { type Test } from "tap";
import { merge } from "../../lib/text/merge.ts";

/** Contents are latin1; `merged` is null for a conflict. */
interface Case {
  readonly name: string;
  readonly path?: string;
  readonly base: string;
  readonly head: string;
  readonly mine: string;
  readonly merged: string | null;
}

function check(t: Test, { name, path = "notes.md", base, head, mine, merged }: Case): void {
  const [b, h, m] = [base, head, mine].map((text) => Buffer.from(text, "latin1")) as [Buffer, Buffer, Buffer];
  t.equal(merge(b, h, m, { path })?.toString("latin1") ?? null, merged, name);
}

const NOTES: readonly Case[] = [
  {
    name: "two agents add different facts to a list",
    base: "# Facts\n- sky is blue\n",
    head: "# Facts\n- sky is blue\n- grass is green\n",
    mine: "# Facts\n- sky is blue\n- snow is white\n",
    merged: "# Facts\n- sky is blue\n- grass is green\n- snow is white\n",
  },
  {
    name: "two agents add the same fact: it is there once",
    base: "- sky is blue\n",
    head: "- sky is blue\n- grass is green\n",
    mine: "- sky is blue\n- grass is green\n",
    merged: "- sky is blue\n- grass is green\n",
  },
  {
    name: "one adds a fact, the other the same and one more",
    base: "- sky is blue\n",
    head: "- sky is blue\n- grass is green\n",
    mine: "- sky is blue\n- grass is green\n- snow is white\n",
    merged: "- sky is blue\n- grass is green\n- snow is white\n",
  },
  {
    name: "both add the same fact, and each another one",
    base: "- sky is blue\n",
    head: "- sky is blue\n- grass is green\n- coal is black\n",
    mine: "- sky is blue\n- grass is green\n- snow is white\n",
    merged: "- sky is blue\n- grass is green\n- coal is black\n- snow is white\n",
  },
  {
    name: "both write into an empty file",
    base: "",
    head: "- from a\n",
    mine: "- from b\n",
    merged: "- from a\n- from b\n",
  },
  {
    name: "both create a file under one title",
    base: "",
    head: "# Plan\n\n- from a\n",
    mine: "# Plan\n\n- from b\n",
    merged: "# Plan\n\n- from a\n\n- from b\n",
  },
  {
    name: "both begin the same day in a log",
    base: "# Log\n",
    head: "# Log\n## 2026-11-21\n- 09:00 built\n",
    mine: "# Log\n## 2026-11-21\n- 09:05 tested\n",
    merged: "# Log\n## 2026-11-21\n- 09:00 built\n- 09:05 tested\n",
  },
  {
    name: "an entry does not slip below a heading that its writer has not seen",
    base: "# Log\n",
    head: "# Log\n## Monday\n- built\n## Tuesday\n- shipped\n",
    mine: "# Log\n## Monday\n- tested\n",
    merged: "# Log\n## Monday\n- built\n## Tuesday\n- shipped\n## Monday\n- tested\n",
  },
  {
    name: "two paragraphs at the end stay two",
    base: "Intro.\n",
    head: "Intro.\n\nBy a.\n",
    mine: "Intro.\n\nBy b.\n",
    merged: "Intro.\n\nBy a.\n\nBy b.\n",
  },
  {
    name: "two paragraphs in the middle stay two",
    base: "Intro.\n\nEnd.\n",
    head: "Intro.\n\nBy a.\n\nEnd.\n",
    mine: "Intro.\n\nBy b.\n\nEnd.\n",
    merged: "Intro.\n\nBy a.\n\nBy b.\n\nEnd.\n",
  },
  {
    name: "one ticks a task, the other adds one behind it",
    base: "- [ ] build\n",
    head: "- [x] build\n",
    mine: "- [ ] build\n- [ ] ship\n",
    merged: "- [x] build\n- [ ] ship\n",
  },
  {
    name: "one ticks a task, the other adds one before it",
    base: "- [ ] build\n",
    head: "- [x] build\n",
    mine: "- [ ] plan\n- [ ] build\n",
    merged: "- [ ] plan\n- [x] build\n",
  },
  {
    name: "both tick neighbouring tasks",
    base: "- [ ] a\n- [ ] b\n- [ ] c\n",
    head: "- [x] a\n- [ ] b\n- [x] c\n",
    mine: "- [ ] a\n- [x] b\n- [ ] c\n",
    merged: "- [x] a\n- [x] b\n- [x] c\n",
  },
  {
    name: "both tick the same task, and one of them the next, too",
    base: "- [ ] a\n- [ ] b\n",
    head: "- [x] a\n- [ ] b\n",
    mine: "- [x] a\n- [x] b\n",
    merged: "- [x] a\n- [x] b\n",
  },
  {
    name: "both tick the same task and add one each",
    base: "- [ ] a\n",
    head: "- [x] a\n- [ ] by one\n",
    mine: "- [x] a\n- [ ] by two\n",
    merged: "- [x] a\n- [ ] by one\n- [ ] by two\n",
  },
  {
    name: "one ticks the last task and adds one, the other adds one: head's text first",
    base: "- [ ] a\n",
    head: "- [ ] a\n- [ ] by one\n",
    mine: "- [x] a\n- [ ] by two\n",
    merged: "- [x] a\n- [ ] by one\n- [ ] by two\n",
  },
  {
    name: "one adds a task before the one it ticks",
    base: "- [ ] ship it\n",
    head: "- [ ] ship it\n- [ ] by one\n",
    mine: "- [ ] pack\n- [x] ship it\n",
    merged: "- [ ] pack\n- [x] ship it\n- [ ] by one\n",
  },
  {
    name: "both change the same line differently",
    base: "status: open\n",
    head: "status: done\n",
    mine: "status: stuck\n",
    merged: null,
  },
  {
    name: "both change the same line differently, far from other changes that would go together",
    base: "a\n1\n2\nstatus: open\n3\n4\nz\n",
    head: "A\n1\n2\nstatus: done\n3\n4\nz\n",
    mine: "a\n1\n2\nstatus: stuck\n3\n4\nZ\n",
    merged: null,
  },
  {
    name: "one removes a line that the other changed",
    base: "a\nold\nb\n",
    head: "a\nb\n",
    mine: "a\nnew\nb\n",
    merged: null,
  },
  {
    name: "one removes a line beside one that the other changed",
    base: "a\nb\nc\n",
    head: "a\nc\n",
    mine: "a\nb\nC\n",
    merged: "a\nC\n",
  },
  {
    name: "both remove lines, some of them the same",
    base: "1\n2\n3\n4\n5\n6\n",
    head: "1\n4\n5\n6\n",
    mine: "1\n2\n6\n",
    merged: "1\n6\n",
  },
  {
    name: "one removes a section, the other adds to it",
    base: "# A\n- a\n# B\n- b1\n- b2\n# C\n- c\n",
    head: "# A\n- a\n# C\n- c\n",
    mine: "# A\n- a\n# B\n- b1\n- by mine\n- b2\n# C\n- c\n",
    merged: null,
  },
  {
    name: "one moves a section, the other changes a line of it",
    base: "# A\nabout a\n# B\nabout b\n# C\nabout c\n",
    head: "# C\nabout c\n# A\nabout a\n# B\nabout b\n",
    mine: "# A\nabout a\n# B\nabout b\n# C\nmore about c\n",
    merged: null,
  },
  {
    name: "one drops old lines of a log, the other appends",
    base: "1 a\n2 b\n3 c\n",
    head: "3 c\n",
    mine: "1 a\n2 b\n3 c\n4 d\n",
    merged: "3 c\n4 d\n",
  },
  {
    name: "one drops all lines, the other appends",
    base: "1\n2\n",
    head: "",
    mine: "1\n2\n3\n",
    merged: "3\n",
  },
  {
    name: "both rewrite everything",
    base: "a\nb\nc\n",
    head: "one\ntwo\nthree\n",
    mine: "uno\ndos\ntres\n",
    merged: null,
  },
];

const ENDINGS: readonly Case[] = [
  {
    name: "a last line without line feed is not changed by what is appended to it",
    base: "a\nb",
    head: "a\nb\nc",
    mine: "A\nb",
    merged: "A\nb\nc",
  },
  {
    name: "one appends to a last line without line feed, the other changes it",
    base: "a\nb",
    head: "a\nb\nc",
    mine: "a\nB",
    merged: "a\nB\nc",
  },
  {
    name: "one adds the final line feed, the other changes a line",
    base: "a\nb",
    head: "a\nb\n",
    mine: "A\nb",
    merged: "A\nb\n",
  },
  {
    name: "one takes the final line feed away, the other changes the last line",
    base: "a\nb\n",
    head: "a\nb",
    mine: "a\nB\n",
    merged: "a\nB",
  },
  {
    name: "both create a file, one without final line feed",
    base: "",
    head: "a",
    mine: "b\n",
    merged: "a\nb\n",
  },
  {
    name: "a final line feed is no reason to lose an empty line",
    base: "a\n",
    head: "a",
    mine: "a\n\n",
    merged: "a\n\n",
  },
  {
    name: "two changes in a file with CRLF",
    base: "a\r\nb\r\nc\r\n",
    head: "A\r\nb\r\nc\r\n",
    mine: "a\r\nb\r\nc\r\nd\r\n",
    merged: "A\r\nb\r\nc\r\nd\r\n",
  },
  {
    name: "appending to a file with CRLF whose last line has no line feed",
    base: "a\r\nb",
    head: "A\r\nb",
    mine: "a\r\nb\r\nc",
    merged: "A\r\nb\r\nc",
  },
  {
    name: "one converts to CRLF, the other adds a line: the endings are not mixed",
    base: "a\nb\nc\n",
    head: "a\nb\nby head\nc\n",
    mine: "a\r\nb\r\nc\r\n",
    merged: "a\r\nb\r\nby head\r\nc\r\n",
  },
  {
    name: "one converts from CRLF, the other changes a line",
    base: "a\r\nb\r\n",
    head: "a\nb\n",
    mine: "a\r\nB\r\n",
    merged: "a\nB\n",
  },
  {
    name: "a line with another ending than the rest stays as it was written",
    base: "a\r\nb\r\n",
    head: "a\r\nb\r\nc\n",
    mine: "A\r\nb\r\n",
    merged: "A\r\nb\r\nc\n",
  },
];

const CODE = 'import a from "a";\n\nfunction one() {\n  return 1;\n}\n\nfunction two() {\n  return 2;\n}\n';

const OTHERS: readonly Case[] = [
  {
    name: "code: an import and another function's body",
    path: "x.js",
    base: CODE,
    head: CODE.replace("\n", '\nimport b from "b";\n'),
    mine: CODE.replace("return 2", "return 22"),
    merged: CODE.replace("return 2", "return 22").replace("\n", '\nimport b from "b";\n'),
  },
  {
    name: "code: two new functions at the end are not mixed up",
    path: "x.js",
    base: CODE,
    head: `${CODE}\n/** a */\nfunction a() {\n  return "a";\n}\n`,
    mine: `${CODE}\n/** b */\nfunction b() {\n  return "b";\n}\n`,
    merged: `${CODE}\n/** a */\nfunction a() {\n  return "a";\n}\n\n/** b */\nfunction b() {\n  return "b";\n}\n`,
  },
  {
    name: "code: two new functions that begin alike are not mixed up",
    path: "x.js",
    base: CODE,
    head: `${CODE}\n/**\n * Adds.\n * @param a one\n */\nfunction a() {}\n`,
    mine: `${CODE}\n/**\n * Adds.\n * @param b one\n */\nfunction b() {}\n`,
    merged:
      `${CODE}\n/**\n * Adds.\n * @param a one\n */\nfunction a() {}\n` +
      `\n/**\n * Adds.\n * @param b one\n */\nfunction b() {}\n`,
  },
  {
    name: "configuration: one changes two lines, the other puts one between them",
    path: "config.yaml",
    base: "port: 80\nhost: a\n",
    head: "port: 8080\nhost: b\n",
    mine: "port: 80\ntls: true\nhost: a\n",
    merged: "port: 8080\ntls: true\nhost: b\n",
  },
  {
    name: "JSON lines: two records",
    path: "events.jsonl",
    base: '{"n":1}\n',
    head: '{"n":1}\n{"n":2}\n',
    mine: '{"n":1}\n{"n":3}\n',
    merged: '{"n":1}\n{"n":2}\n{"n":3}\n',
  },
  { name: "bytes that are no UTF-8", base: "a\xff\nb\n", head: "a\xff\nB\n", mine: "\xfe\nb\n", merged: "\xfe\nB\n" },
  { name: "binary on all sides", path: "x.bin", base: "a\0\nb", head: "A\0\nb", mine: "a\0\nB", merged: null },
  { name: "one side became binary", base: "a\nb\n", head: "a\nb\0\n", mine: "A\nb\n", merged: null },
  { name: "binary, both sides the same", base: "\0", head: "\0\x01", mine: "\0\x01", merged: "\0\x01" },
  { name: "binary, changed by head only", base: "\0", head: "\0\x01", mine: "\0", merged: "\0\x01" },
  { name: "binary, changed by mine only", base: "\0", head: "\0", mine: "\0\x01", merged: "\0\x01" },
];

t.test("notes, lists and logs merge as a person would", async (t) => {
  for (const item of NOTES) check(t, item);
});

t.test("line endings and the final line feed are merged apart from the lines", async (t) => {
  for (const item of ENDINGS) check(t, item);
});

t.test("code, configuration, bytes and binary content", async (t) => {
  for (const item of OTHERS) check(t, item);
});

t.test("a file of 1,000 lines is merged in a moment", async (t) => {
  const lines = Array.from({ length: 1000 }, (_, at) => `- ${at}: ${(at * 7919) % 1009} ${at % 3 === 0 ? "x" : ""}`);
  const text = (edit: (line: string, at: number) => string): Buffer => Buffer.from(`${lines.map(edit).join("\n")}\n`);
  const base = text((line) => line);
  const head = text((line, at) => (at % 10 === 0 ? `${line} by head` : line));
  const mine = text((line, at) => (at % 10 === 5 ? `${line} by mine\n- more` : line));
  const expected = text((line, at) =>
    at % 10 === 0 ? `${line} by head` : at % 10 === 5 ? `${line} by mine\n- more` : line,
  );
  let best = Infinity;
  for (let round = 0; round < 10; round++) {
    // Time of the processor: others may be using it, too.
    const start = process.cpuUsage();
    const merged = merge(base, head, mine, { path: "f.md" });
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
    t.strictSame(merged, expected);
  }
  t.comment(`${best.toFixed(2)} ms`);
  t.ok(best < 10, "the best of ten");
});
