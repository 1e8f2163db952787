/** `memfs doctor`: each thing that can be wrong with a host is found, and nothing is found where nothing is wrong. */
import t from "tap";
import { ANN, BEN, type HostOptions, type HostUser, makeHost, STRANGER } from "../fixtures/users.ts";

interface Report {
  readonly type: "doctor";
  readonly ok: boolean;
  readonly checks: readonly { check: string; status: string; message: string; advice: string | null }[];
}

const CHECKS = [
  "node",
  "kernel",
  "device",
  "fusermount3",
  "account",
  "other users",
  "home",
  "disk",
  "daemon",
  "mounts",
];

/** What is not in order, and with which advice. */
async function findings(user: HostUser): Promise<{ code: number; found: string[] }> {
  const { code, stdout } = await user.memfs("doctor", "--json");
  const { ok, checks } = JSON.parse(stdout) as Report;
  if (ok !== (code === 0)) throw new Error(`exit code ${code} and ok ${ok}`);
  const wrong = checks.filter(({ status, check }) => status !== "ok" && check !== "disk" && check !== "kernel");
  return {
    code,
    found: wrong.map(({ check, status, message, advice }) => `${status} ${check}: ${message}; ${advice}`),
  };
}

t.test("a host in order is said to be, without a daemon being started", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  t.strictSame(await findings(user), { code: 0, found: [] });
  t.equal(user.pid(), null, "no daemon was started");
  const { stdout } = await user.memfs("doctor");
  t.strictSame(
    stdout
      .trimEnd()
      .split("\n")
      .map((row) => /^(?:ok|warning) +(\w+(?: users)?) /.exec(row)?.[1]),
    CHECKS,
  );
  t.match(stdout, /^ok +other users +cannot be let in: no user_allow_other in /m);
  await user.shell("mkdir notes");
  await user.memfs("mount", "--create", "notes", "notes");
  t.strictSame(await findings(user), { code: 0, found: [] });
  t.match((await user.memfs("doctor")).stdout, /^ok +daemon +pid \d+, version \S+, 1 mount, FUSE 7\.\d+$/m);
});

t.test("what a user lacks is named with its remedy", async (t) => {
  const overlay =
    'mkdir "$1/up" "$1/work"; mount -t overlay -o "lowerdir=/usr/bin,upperdir=$1/up,workdir=$1/work" overlay /usr/bin';
  const wrong: readonly [HostOptions, number, RegExp][] = [
    [
      { device: "600" },
      ANN,
      /^problem device: \S+ \(mode 0600\) cannot be opened: EACCES; as root: chmod 666 \/dev\/fuse$/,
    ],
    [
      { prepare: `${overlay}; rm /usr/bin/fusermount3` },
      ANN,
      /^problem fusermount3: it is not there; as root: apt install fuse3$/,
    ],
    [
      { prepare: `${overlay}; chmod u-s /usr/bin/fusermount3` },
      ANN,
      /^warning fusermount3: .* is not set-user-id root; .*chmod u\+s/,
    ],
    [{}, STRANGER, /^problem account: the user \d+ has no account, .*; as root: add it to \/etc\/passwd$/],
  ];
  for (const [options, uid, says] of wrong) {
    const host = await makeHost(t, options);
    if (host === null) return;
    const { code, found } = await findings(await host.user(uid));
    t.equal(code, says.source.startsWith("^warning") ? 0 : 1);
    t.match(found, [says]);
    t.equal(found.length, 1);
  }
});

t.test("homes that cannot serve are named", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const [ann, ben] = [await host.user(ANN), await host.user(BEN)];
  await ben.shell("chmod 755 .; mkdir h; chmod 755 h");
  const look = async (home: string) => {
    const { code, stdout } = await ann.runWith({ MEMFS_HOME: home }, process.execPath, host.main, "doctor");
    return { code, home: /^\w+ +home +(.*)$/m.exec(stdout)?.[1] };
  };
  t.strictSame(await look(`${ben.place}/h`), {
    code: 1,
    home: `${ben.place}/h belongs to the user ${BEN}; set MEMFS_HOME`,
  });
  t.strictSame(await look(`${ben.place}/new`), {
    code: 1,
    home: `${ben.place}/new cannot be made in ${ben.place}; set MEMFS_HOME`,
  });
  await ann.memfs("daemon", "start");
  await ann.shell("chmod 644 h/master.key");
  t.match(await look(`${ann.place}/h`), { code: 1, home: /master\.key is readable by others; chmod 600 / });
  await ann.shell("chmod 600 h/master.key; chmod 777 h");
  t.match(await look(`${ann.place}/h`), { code: 1, home: /others may write in .*; chmod go-w / });
  const unwritable = await ann.runWith(
    { MEMFS_HOME: `${ben.place}/new` },
    process.execPath,
    host.main,
    "store",
    "list",
  );
  t.match(unwritable, { code: 78, stderr: /^memfs: the home \S+\/new cannot be used \(EACCES\); set MEMFS_HOME\n$/ });
});

t.test("dead and hung mounts, and persistent ones that are missing, are found", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  await user.shell("mkdir notes kept");
  await user.memfs("mount", "--create", "notes", "notes");
  const pid = user.pid() ?? 0;
  process.kill(pid, "SIGSTOP");
  t.teardown(() => user.kill());
  const hung = await findings(user);
  t.match(hung.found, [
    /^problem daemon: the daemon does not answer; /,
    /^problem mounts: no answer: \S+notes; see docs/,
  ]);
  process.kill(pid, "SIGCONT");
  await user.kill();
  const dead = `problem mounts: Transport endpoint is not connected: ${user.place}/notes; memfs daemon start clears those of this home; by hand: fusermount3 -u -z ${user.place}/notes`;
  t.strictSame(await findings(user), { code: 1, found: [dead] });
  t.equal((await user.shell("fusermount3 -u -z notes")).code, 0, "the advice works");
  t.strictSame(await findings(user), { code: 0, found: [] });

  await user.memfs("mount", "notes", "kept", "--persist");
  await user.memfs("daemon", "stop");
  await user.shell("rmdir kept");
  await user.memfs("daemon", "start");
  t.strictSame(await findings(user), {
    code: 0,
    found: [`warning daemon: persistent mounts are not there: ${user.place}/kept; see: memfs mounts`],
  });
});
