import t from "tap";
import { localTime, printable, size } from "../../cli/output.ts";
import { policyChanges } from "../../cli/policy.ts";
import { parseSpec, parseVersion } from "../../cli/target.ts";
import { formatTime, parseRelative, parseTime } from "../../lib/time.ts";

const NOON = Date.UTC(2026, 10, 21, 12) * 1000;

t.test("a version is an id, a number, or a time", async (t) => {
  const cases: [text: string, version: string | null][] = [
    ["memver_01abc", "memver_01abc"],
    ["1", "1"],
    ["-1", "-1"],
    ["0", null],
    ["1.5", null],
    ["", null],
    ["md", null],
    ["2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000000Z"],
    ["2026-11-21T10:00:00.123456+01:00", "2026-11-21T09:00:00.123456Z"],
    ["2h ago", "2026-11-21T10:00:00.000000Z"],
    ["90 minutes ago", "2026-11-21T10:30:00.000000Z"],
    ["2h", null],
  ];
  for (const [text, version] of cases) t.equal(parseVersion(text, NOON), version, text);
});

t.test("times keep their microseconds and dates that are none are refused", async (t) => {
  const at = parseTime("2026-11-21T10:00:00.123456Z");
  t.equal(at, Date.UTC(2026, 10, 21, 10) * 1000 + 123_456);
  t.equal(formatTime(at ?? 0), "2026-11-21T10:00:00.123456Z");
  t.equal(parseTime("2026-11-21T10:00:00"), null, "no zone");
  t.equal(
    parseTime("2026-11-21 10:00:00", true),
    new Date(2026, 10, 21, 10).getTime() * 1000,
    "local, as log prints it",
  );
  t.equal(parseTime("2026-02-30T10:00:00Z"), null);
  t.equal(parseTime("2026-11-21T25:00:00Z"), null);
  t.equal(parseRelative("1w ago", NOON), NOON - 7 * 86_400 * 1e6);
  t.equal(parseRelative("yesterday", NOON), NOON - 86_400 * 1e6);
  const micros = (text: string): number => Date.parse(text) * 1000;
  t.equal(parseRelative("1 month ago", micros("2026-03-31T12:00:00.5Z")), micros("2026-02-28T12:00:00.5Z"));
  t.equal(parseRelative("3months ago", micros("2026-02-10T12:00:00Z")), micros("2025-11-10T12:00:00Z"));
  t.equal(parseRelative("1 year ago", micros("2028-02-29T12:00:00Z")), micros("2027-02-28T12:00:00Z"));
  t.equal(parseRelative("2y ago", micros("2026-11-21T12:00:00Z")), micros("2024-11-21T12:00:00Z"));
  t.equal(parseRelative("400000y ago", NOON), null);
  t.equal(localTime("2026-11-21T10:00:00.9Z").length, "2026-11-21 10:00:00".length);
});

t.test("a SPEC is a store and its access", async (t) => {
  t.strictSame(parseSpec("notes"), { store: "notes", access: "rw" });
  t.strictSame(parseSpec("notes:ro"), { store: "notes", access: "ro" });
  t.strictSame(parseSpec("a:b:rw"), { store: "a:b", access: "rw" }, "a name may hold colons");
  for (const bad of ["", ":ro", "notes:", "notes:RO", "notes:w"]) {
    t.throws(() => parseSpec(bad), { code: "invalid_argument" }, bad);
  }
});

t.test("a SPEC with a moment is the store as it was, read-only", async (t) => {
  const past = { store: "notes", access: "ro" };
  t.strictSame(parseSpec("notes@#12"), { ...past, at: "#12" });
  t.strictSame(parseSpec("notes@#12:ro"), { ...past, at: "#12" });
  t.strictSame(parseSpec("notes@memver_01abc"), { ...past, at: "memver_01abc" });
  t.strictSame(parseSpec("notes@2026-11-21T10:00:00Z"), { ...past, at: "2026-11-21T10:00:00.000000Z" });
  const ago = Date.now() - Date.parse(parseSpec("notes@2 hours ago").at ?? "");
  t.ok(ago >= 7_199_000 && ago < 7_300_000, `${ago} ms`);
  t.strictSame(parseSpec("me@home@#1"), { store: "me@home", access: "ro", at: "#1" }, "the last @ counts");
  for (const name of ["me@home", "build@42", "@#1"]) t.strictSame(parseSpec(name), { store: name, access: "rw" }, name);
  t.throws(() => parseSpec("notes@#12:rw"), { code: "invalid_argument", message: /cannot be written to/ });
});

t.test("policies are read with units, and every wrong pair is named at once", async (t) => {
  t.strictSame(
    policyChanges(["max_memory_bytes=20M", "on_conflict=refuse", "strict_names=true", "scratch=*.o  tmp/"]),
    {
      max_memory_bytes: 20 * 2 ** 20,
      on_conflict: "refuse",
      strict_names: true,
      scratch: ["*.o", "tmp/"],
    },
  );
  t.throws(() => policyChanges(["max_memories=1.5", "colour=red", "keep_days"]), {
    message: /max_memories needs a number.*"colour" is no policy key.*keep_days needs/,
  });
});

t.test("nothing printed can drive the terminal", async (t) => {
  t.equal(printable("a\u001b[31mb\n\u202ec"), "a\\u{1b}[31mb\\u{a}\\u{202e}c");
  t.equal(printable("grün/日本.md"), "grün/日本.md");
  t.equal(size(10 * 2 ** 20), "10 MiB");
  t.equal(size(1536), "1.5 KiB");
});
