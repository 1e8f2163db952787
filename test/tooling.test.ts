import { execFileSync } from "node:child_process";
import t from "tap";
import { TapReport } from "../scripts/tap-report.mjs";

function report(tap: string): { summary: string; printed: string } {
  const printed: string[] = [];
  const report = new TapReport((line) => printed.push(line));
  for (const line of tap.split("\n")) report.line(line);
  return { summary: report.summary, printed: printed.join("\n") };
}

t.test("tests are counted at the top of each file, not their assertions", async (t) => {
  const { summary, printed } = report(`TAP version 14
# Subtest: test/a.test.ts
    # Subtest: first
        ok 1 - one
        ok 2 - two
        1..2
    ok 1 - first # time=1ms
    ok 2 - second {
        ok 1 - one
    }
    ok 3 - bare assertion
    1..3
ok 1 - test/a.test.ts # time=12.5ms
1..1`);
  t.equal(summary, "3 passed, 0 failed");
  t.equal(printed, "ok     test/a.test.ts (3 tests, 0.0 s)");
});

t.test("skipped tests and files are counted apart and say why", async (t) => {
  const { summary, printed } = report(`# Subtest: test/a.test.ts
    ok 1 - mounts # SKIP no /dev/fuse
    ok 2 - works
    1..2
ok 1 - test/a.test.ts # time=1ms
# Subtest: test/b.test.ts
    1..0 # no /dev/fuse
ok 2 - test/b.test.ts # SKIP no /dev/fuse`);
  t.equal(summary, "1 passed, 0 failed, 2 skipped");
  t.match(printed, "skip   mounts: no /dev/fuse");
});

t.test("a failure shows its diagnostics, and nothing inside them is counted", async (t) => {
  const { summary, printed } = report(`# Subtest: test/a.test.ts
    # Subtest: fails
        not ok 1 - equal
          ---
          diff: |
            -    ok 7 - looks like a test
            +    not ok 8 - so does this
          ...
        1..1
    not ok 1 - fails # time=2ms
      ---
      at: {}
      ...
    # seed 42
    ok 2 - passes
    1..2
not ok 1 - test/a.test.ts # time=9ms
  ---
  args:
    - --import=tsx
  exitCode: 1
  ...`);
  t.equal(summary, "1 passed, 1 failed");
  t.match(printed, "FAILED test/a.test.ts");
  t.match(printed, "+    not ok 8 - so does this");
  t.match(printed, "# seed 42");
  t.match(printed, "exitCode: 1");
  t.notMatch(printed, "--import=tsx");
});

t.test("a file that crashes without a failed test counts as one failure", async (t) => {
  const { summary, printed } = report(`# Subtest: test/a.test.ts
    1..0 # no tests found
not ok 1 - test/a.test.ts # time=9ms
  ---
  signal: SIGKILL
  ...`);
  t.equal(summary, "0 passed, 1 failed");
  t.match(printed, "signal: SIGKILL");
});

t.test("what a test starts runs as it does without tap", async (t) => {
  const started = execFileSync(process.execPath, ["-p", "process.env.NODE_OPTIONS"], { encoding: "utf8" });
  t.equal(started, "undefined\n");
  const bare = execFileSync(process.execPath, ["-p", "process.env.NODE_OPTIONS"], { encoding: "utf8", env: {} });
  t.equal(bare, "undefined\n", "also with an environment of its own");
});
