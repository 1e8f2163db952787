/** SQLite keeps a database in a mount: both journals, several processes and mounts, and writers that are killed. */
import t, { type Test } from "tap";
import { currentDriver } from "../fixtures/drivers.ts";
import { until } from "../fixtures/fuse.ts";
import { python, sameAsPlain, toolTests, type ToolPlace, works } from "../fixtures/tool-mount.ts";

/** The native driver has no shared mappings, and WAL needs one. */
const withoutWal = (mode: string): boolean => mode !== "wal" || currentDriver() !== "native";

/**
 * Moves money between accounts in transactions, so that a torn or lost one changes the sum. Arguments: the database, the
 * journal mode, how many transactions, who it is. Says how many were committed.
 */
const WRITER = `
import sqlite3, sys
path, mode, count, who = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
db = sqlite3.connect(path, timeout=30, isolation_level=None)
db.execute("pragma journal_mode=" + mode)
for i in range(count):
    db.execute("begin immediate")
    db.execute("update account set money = money - 1 where id = ?", (i % 10,))
    db.execute("update account set money = money + 1 where id = ?", ((i * 7 + 3) % 10,))
    db.execute("insert into moved values (?, ?, randomblob(300))", (who, i))
    db.execute("commit")
db.close()`;

async function create(t: Test, directory: string, mode: string): Promise<void> {
  const script = `sqlite3 db "pragma journal_mode=$2; create table account (id integer primary key, money integer);
    create table moved (who text, n integer, noise blob, primary key (who, n));
    with recursive c(i) as (select 0 union all select i + 1 from c where i < 9) insert into account select i, 100 from c;"`;
  t.equal(await works(t, script, directory, mode), `${mode}\n`);
}

/** What the database says of itself, of the money, and how many transactions each writer has in it. */
function look(t: Test, directory: string): Promise<string> {
  const script = `sqlite3 db "pragma integrity_check; select sum(money) from account; select who, count(*), max(n) from moved group by who"`;
  return works(t, script, directory);
}

async function everyJournal(t: Test, place: ToolPlace): Promise<void> {
  const journals = ["delete", "truncate", "persist", "wal"].filter(withoutWal);
  const script = `for mode in ${journals.join(" ")}; do
    sqlite3 $mode.db "pragma journal_mode=$mode; create table t (a integer primary key, b text); create index i on t (b);
      with recursive c(i) as (select 1 union all select i + 1 from c where i < 2000) insert into t select i, 'row ' || i from c;
      update t set b = b || '!' where a % 3 = 0; delete from t where a % 5 = 0; begin; delete from t; rollback;
      vacuum; pragma integrity_check; select count(*), sum(length(b)) from t;"
    sqlite3 $mode.db "pragma wal_checkpoint(truncate)" > checkpoint.$mode; sqlite3 $mode.db .dump | sha1sum; ls; rm $mode.db*
  done`;
  const output = await sameAsPlain(t, place, script);
  t.equal(output.split("\n").filter((line) => line === "ok").length, journals.length);
}

/** WAL holds its index in a shared mapping, which the processes of one mount share. */
async function writers(t: Test, { mount, mounted }: ToolPlace): Promise<void> {
  for (const mode of ["delete", "wal"].filter(withoutWal)) {
    const at = `${mounted}/${mode}`;
    await works(t, 'mkdir "$2"', mounted, mode);
    await create(t, at, mode);
    const two = ["a", "b"].map((who) => python(t, WRITER, `${at}/db`, mode, "40", who));
    for (const { ended } of two) t.strictSame(await ended, { code: 0, stdout: "", stderr: "" });
    t.equal(await look(t, at), "ok\n1000\na|40|39\nb|40|39\n", `two writers with journal_mode=${mode}`);
  }
  await mount.restart();
  t.equal(
    await look(t, `${mounted}/${currentDriver() === "native" ? "delete" : "wal"}`),
    "ok\n1000\na|40|39\nb|40|39\n",
    "after a restart of the daemon",
  );
}

/** Not with WAL: its index is a mapping that each mount has for itself, so that transactions would be lost. */
async function twoMounts(t: Test, { mounted, other }: ToolPlace): Promise<void> {
  await create(t, mounted, "delete");
  const writers = [mounted, other].map((at, who) => python(t, WRITER, `${at}/db`, "delete", "25", `${who}`));
  for (const { ended } of writers) t.strictSame(await ended, { code: 0, stdout: "", stderr: "" });
  for (const at of [mounted, other]) t.equal(await look(t, at), "ok\n1000\n0|25|24\n1|25|24\n");
}

/** One of two writers is killed in the middle: the other goes on, and what was committed is all there. */
async function killed(t: Test, { mounted }: ToolPlace): Promise<void> {
  for (const mode of ["delete", "wal"].filter(withoutWal)) {
    const at = `${mounted}/${mode}`;
    await works(t, 'mkdir "$2"', mounted, mode);
    await create(t, at, mode);
    const victim = python(t, WRITER, `${at}/db`, mode, "1000000", "victim");
    const survivor = python(t, WRITER, `${at}/db`, mode, "30", "survivor");
    const count = `sqlite3 -cmd ".timeout 30000" db "select count(*) from moved where who = 'victim'"`;
    await until(async () => Number(await works(t, count, at)) > 5, 30);
    process.kill(victim.pid, "SIGKILL");
    await victim.ended;
    t.strictSame(await survivor.ended, { code: 0, stdout: "", stderr: "" });
    const [check, sum, ...rows] = (await look(t, at)).trimEnd().split("\n");
    t.strictSame([check, sum, rows[0]], ["ok", "1000", "survivor|30|29"], `journal_mode=${mode}`);
    const [, transactions, last] = (rows[1] ?? "").split("|").map(Number);
    t.equal(transactions, (last ?? 0) + 1, "no transaction before the last one is missing");
  }
}

const needs = ["sqlite3", "python3"];
await toolTests(t, {
  "every kind of journal works": { needs, body: everyJournal },
  "two processes write through one mount": { needs, body: writers },
  "two processes write through two mounts": { needs, native: "locks", body: twoMounts },
  "a database outlives a writer that is killed": { needs, body: killed },
});
