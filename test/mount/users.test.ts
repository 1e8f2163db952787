/** Mounting as an ordinary user, through fusermount3. */
import t from "tap";
import type { Mount } from "../../lib/api.ts";
import { ANN, BEN, makeHost, STRANGER } from "../fixtures/users.ts";

t.test("an ordinary user mounts, works, looks at history, unmounts", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  await user.shell("mkdir notes");
  t.match(await user.memfs("mount", "--create", "notes", "notes", "--agent", "scout"), { code: 0, stderr: "" });
  const work = 'echo one > a.md; echo two >> a.md; mkdir d; chmod 700 d; mv a.md d/; stat -c "%u:%g %a" d d/a.md .';
  t.match(await user.shell(`cd notes; ${work}`), {
    code: 0,
    stdout: `${ANN}:${ANN} 700\n${ANN}:${ANN} 644\n${ANN}:${ANN} 755\n`,
  });
  t.match(await user.shell("grep ' fuse.memfs ' /proc/self/mounts"), {
    stdout: new RegExp(
      `^memfs:notes ${user.place}/notes fuse\\.memfs rw,nosuid,nodev,.*user_id=${ANN},group_id=${ANN},default_permissions,max_read=\\d+ `,
    ),
  });
  t.match((await user.memfs("log", "notes/d/a.md")).stdout, /modified .*\n.*modified .*\n.*created .*scout/);
  const busy = await user.shell(`cd notes; exec "$@"`, process.execPath, host.main, "umount", "../notes");
  t.equal(busy.code, 75);
  t.match(busy.stderr, /notes is used by .*working directory/);
  t.match(await user.memfs("umount", "notes"), { code: 0, stderr: "" });
  t.not((await user.shell("grep memfs /proc/self/mounts")).code, 0);
  t.match(await user.memfs("mount", "notes", "notes"), { code: 0, stderr: "" });
  t.match(await user.memfs("daemon", "stop"), { code: 0, stderr: "" });
  t.not((await user.shell("grep memfs /proc/self/mounts")).code, 0, "unmounted with the daemon");
  t.notMatch(user.log(), /"level":"(?:warn|error)"/);
});

t.test("what a killed daemon of a user left is cleared by the next one", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  await user.shell("mkdir notes");
  t.equal((await user.memfs("mount", "--create", "notes", "notes")).code, 0);
  await user.shell("echo one > notes/a.md");
  await user.kill();
  t.match((await user.shell("cat notes/a.md")).stderr, /Transport endpoint is not connected|Software caused/);
  t.match(await user.memfs("mount", "notes", "notes"), { code: 0, stderr: "" });
  t.match(await user.shell("cat notes/a.md; grep -c memfs: /proc/self/mounts"), { stdout: "one\n1\n" });
});

t.test("two users do not see each other's mounts, and cannot mount on each other's directories", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const [ann, ben] = [await host.user(ANN), await host.user(BEN)];
  await ann.shell("chmod 755 .; mkdir notes open; chmod 755 open");
  await ben.shell("chmod 755 .; mkdir notes");
  t.equal((await ann.memfs("mount", "--create", "notes", "notes")).code, 0);
  t.match(await ben.memfs("mount", "--create", "notes", "notes"), { code: 0, stderr: "" });
  await ann.shell("echo mine > notes/a.md");
  t.match(await ben.shell('cat "$1"', `${ann.place}/notes/a.md`), { code: 1, stderr: /Permission denied/ });
  t.match(await ben.memfs("mount", "notes", `${ann.place}/open`), {
    code: 77,
    stderr: `memfs: ${ann.place}/open belongs to another user; mount on an empty directory of your own\n`,
  });
  t.match(await ben.memfs("mount", "notes", `${ann.place}/notes`), { code: 75, stderr: /already mounted/ });
  t.match((await host.asRoot('fusermount3 -u "$1"; echo done', `${ann.place}/notes`)).stdout, /done/);
  t.match(await ann.json<Mount[]>("mounts"), []);
});

t.test(
  "other users are let in when that is asked for and the host allows it, and then modes do not count",
  async (t) => {
    const closed = await makeHost(t);
    const host = await makeHost(t, { fuseConf: "user_allow_other\n" });
    if (host === null || closed === null) return;
    const alone = await closed.user(ANN);
    await alone.shell("mkdir notes");
    t.strictSame(await alone.memfs("mount", "--create", "notes", "notes", "--allow-other"), {
      code: 77,
      stdout: "",
      stderr:
        "memfs: this host lets no other users into a user's mounts; put a line user_allow_other into /etc/fuse.conf, or leave --allow-other out\n",
    });

    const [ann, ben] = [await host.user(ANN), await host.user(BEN)];
    await ann.shell("chmod 755 .; mkdir notes real");
    t.equal((await ann.memfs("mount", "--create", "notes", "notes", "--allow-other")).code, 0);
    const script =
      'cd "$1"; umask 077; echo one > a; cat a; chmod 400 a; echo two >> a; sed -i s/one/1/ a; cat a; stat -c %u a';
    t.match(await ben.shell(script, `${ann.place}/notes`), { code: 0, stdout: `one\n1\ntwo\n${ANN}\n` });
    t.equal((await ann.memfs("mount", "notes", "real", "--allow-other", "--posix-owner")).code, 0);
    const options = await ann.shell("grep memfs: /proc/self/mounts | cut -d' ' -f2,4");
    t.match(
      options.stdout,
      /notes rw,nosuid,nodev,(?!.*default_permissions).*allow_other.*\n.*real .*default_permissions,allow_other/,
    );
    t.match(await ann.json<Mount[]>("mounts"), [
      { mountpoint: /real$/, posix_owner: true, allow_other: true, suid: false, dev: false },
      { mountpoint: /notes$/, posix_owner: false, allow_other: true, owner: { uid: ANN, gid: ANN } },
    ]);
  },
);

t.test("root gives a mount to another user, by number or name", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const [root, ann] = [await host.user(0), await host.user(ANN)];
  await root.shell("chmod 755 .; mkdir a b c d");
  const mount = (...words: string[]) => root.memfs("mount", "--create", "notes", ...words);
  t.equal((await mount("a", "--owner", `${ANN}:${BEN}`)).code, 0);
  t.equal((await mount("b", "--owner", "ben:root")).code, 0);
  t.equal((await mount("c", "--owner", String(ANN))).code, 0, "the group is the user's own");
  const { stdout } = await ann.shell('cd "$1"; touch a/f; chown 0:0 a/f; stat -c %u:%g a b c a/f', root.place);
  t.strictSame(stdout.split("\n").slice(0, 4), [`${ANN}:${BEN}`, `${BEN}:0`, `${ANN}:${ANN}`, `${ANN}:${BEN}`]);
  t.match(await mount("d", "--suid", "--dev"), { code: 0 });
  t.match((await root.shell("grep '/d fuse' /proc/self/mounts")).stdout, / rw,relatime/);
  for (const wrong of ["", ":", "nobody-there", "1:nobody-there", "1:2:3", "4294967295", String(STRANGER), "-1"]) {
    const { code, stderr } = await mount("d", `--owner=${wrong}`);
    t.equal(code, 64, `--owner ${wrong}`);
    t.match(stderr, /^memfs: [^\n]+; give [^\n]+\n$/);
  }
});

t.test("a user namespace's root mounts there by itself", async (t) => {
  const host = await makeHost(t);
  if (host === null) return;
  const user = await host.user(ANN);
  if ((await user.run("unshare", "-Urm", "true")).code !== 0) {
    return void t.pass("skipped", { skip: "this host forbids user namespaces to users" });
  }
  await user.shell("mkdir notes");
  const script = `
    node=$1 main=$2
    "$node" "$main" mount --create notes notes
    id -u; echo one > notes/a.md; stat -c %u:%g notes/a.md
    grep -c ' fuse.memfs ' /proc/self/mounts
    "$node" "$main" daemon stop`;
  const inside = await user.run("unshare", "-Urm", "/bin/sh", "-euc", script, "sh", process.execPath, host.main);
  t.match(inside, { code: 0, stdout: /^sesn_\w+\n0\n0:0\n1\nThe daemon has stopped/, stderr: "" });
  t.match(await user.memfs("cat", "notes:/a.md"), { code: 0, stdout: "one\n" }, "outside it is the same home");
});
