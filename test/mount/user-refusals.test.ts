/** What keeps an ordinary user from mounting: said in one line, with the remedy. */
import t from "tap";
import { ANN, type HostOptions, makeHost, STRANGER } from "../fixtures/users.ts";

/** A copy of the host's programs that a test may change. */
const OWN_PROGRAMS =
  'mkdir "$1/up" "$1/work"; mount -t overlay -o "lowerdir=/usr/bin,upperdir=$1/up,workdir=$1/work" overlay /usr/bin';
const WITHOUT_HELPER = `${OWN_PROGRAMS}; rm /usr/bin/fusermount3`;

t.test("what keeps a user from mounting is said, with its remedy", async (t) => {
  const refusals: readonly [HostOptions, number, { code: number; stderr: string }][] = [
    [
      { device: "600" },
      ANN,
      { code: 69, stderr: "/dev/fuse is closed to this user; open it as root with: chmod 666 /dev/fuse" },
    ],
    [
      { prepare: WITHOUT_HELPER },
      ANN,
      {
        code: 69,
        stderr: "there is no fusermount3; install it as root (Debian: apt install fuse3), or run the daemon as root",
      },
    ],
    [
      { prepare: `${OWN_PROGRAMS}; chmod u-s /usr/bin/fusermount3` },
      ANN,
      {
        code: 69,
        stderr:
          "fusermount3 may not mount either; as root: chmod u+s $(command -v fusermount3); a container needs CAP_SYS_ADMIN",
      },
    ],
    [
      {},
      STRANGER,
      {
        code: 69,
        stderr: "this user has no account, and fusermount3 wants one; add it to /etc/passwd as root",
      },
    ],
    [
      { fuseConf: "mount_max = 0\n" },
      ANN,
      {
        code: 69,
        stderr: "too many FUSE filesystems are mounted; unmount one, or raise mount_max in /etc/fuse.conf",
      },
    ],
  ];
  for (const [options, uid, { code, stderr }] of refusals) {
    const host = await makeHost(t, options);
    if (host === null) return;
    const user = await host.user(uid);
    await user.shell("mkdir notes");
    const outcome = await user.memfs("mount", "--create", "notes", "notes");
    t.strictSame(outcome, { code, stdout: "", stderr: `memfs: ${stderr}\n` });
    t.equal((await user.memfs("store", "list")).stdout, "", "no store was made");
  }
});

t.test("what only root may grant is refused to a user's daemon", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  await user.shell("mkdir notes");
  const own = `${ANN}:${ANN}`;
  for (const flags of [["--owner", "ben"], ["--owner", "0:0"], ["--owner", `${ANN}:0`], ["--suid"], ["--dev"]]) {
    const { code, stderr } = await user.memfs("mount", "--create", "notes", "notes", ...flags);
    t.equal(code, 77, flags.join(" "));
    t.match(
      stderr,
      /^memfs: (this daemon runs as|only root's daemon may) [^\n]*; leave --\w+ [^\n]*out, or ask root's daemon\n$/,
    );
  }
  t.equal((await user.memfs("mount", "--create", "notes", "notes", "--owner", own)).code, 0, "its own it may name");
});

t.test("npm run up and down ask the same of a user's host", async (t) => {
  const ask = async (options: HostOptions) => {
    const host = await makeHost(t, options);
    if (host === null) return null;
    const file = host.main.replace("dist/cli/main.js", "scripts/mounting.mjs");
    const script = `import(${JSON.stringify(file)}).then(({ fuseProblem }) => console.log(fuseProblem()))`;
    return (await (await host.user(ANN)).run(process.execPath, "-e", script)).stdout.trim();
  };
  const closed = await ask({ device: "600" });
  if (closed === null) return;
  t.match(closed, /^\/dev\/fuse is closed to users; /);
  t.match(await ask({ prepare: WITHOUT_HELPER }), /^there is no fusermount3; /);
  t.equal(await ask({}), "null");
});
