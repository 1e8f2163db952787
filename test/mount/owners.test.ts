/** Owners, groups and modes in a mount with --posix-owner: the kernel checks them, memfs stores and shows them. */
import t from "tap";
import { requireFuse, run } from "../fixtures/fuse.ts";
import { testHome } from "../fixtures/home.ts";
import { PYTHON_CHECKS } from "../fixtures/python-checks.ts";
import { problemsIn } from "../fixtures/sound.ts";

/** Runs as root; `user(uid, gid, groups)` runs a function as somebody else. */
const PRELUDE = `
import errno, os, stat, sys, traceback
owned, squashed = sys.argv[1:3]
${PYTHON_CHECKS}def user(uid, gid, groups, function):
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups); os.setgid(gid); os.setuid(uid); os.umask(0o022)
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
def owner(path):
    s = os.lstat(path)
    return s.st_uid, s.st_gid, stat.S_IMODE(s.st_mode)
`;

const OWNERS = `
os.chmod(owned, 0o1777)
def alice():
    os.chdir(owned)
    write("a", "x"); os.mkdir("d"); os.symlink("a", "l"); os.mkfifo("p")
    for name in "a", "d", "l", "p":
        assert owner(name)[:2] == (1001, 2001), (name, owner(name))
    os.chmod("a", 0o600)
    fails("EPERM", os.chown, "a", 1002, -1)
    fails("EPERM", os.chown, "a", -1, 2002)
    os.chown("a", -1, 2009)
    assert owner("a") == (1001, 2009, 0o600)
    os.chmod("a", 0o6755)
    os.chown("a", -1, 2001)
    assert owner("a") == (1001, 2001, 0o755), "chgrp takes privileges away"
    os.chmod("a", 0o600)
    fails("EPERM", os.mknod, "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
def bob():
    os.chdir(owned)
    fails("EACCES", open, "a"); fails("EACCES", open, "a", "w"); fails("EPERM", os.chmod, "a", 0o777)
    fails("EPERM", os.utime, "a", (1, 1)); fails("EACCES", os.setxattr, "a", "user.x", b"")
    fails("EPERM", os.unlink, "a"); fails("EPERM", os.rename, "a", "b"); fails("EPERM", os.rmdir, "d")
    fails("EACCES", os.mkdir, "d/e")
    write("b", "bob")
user(1001, 2001, [2009], alice)
user(1002, 2002, [], bob)
assert owner(owned + "/b")[:2] == (1002, 2002)
for name in "a", "b", "d", "l", "p":
    assert owner(squashed + "/" + name)[:2] == (0, 0), name
os.chown(squashed + "/a", 1002, 2002)
assert owner(owned + "/a")[:2] == (1001, 2001), "a squashed mount accepts it and changes nothing"
os.chown(owned + "/a", 1002, 2002)
assert owner(owned + "/a") == (1002, 2002, 0o600)
os.lchown(owned + "/l", 5, 6)
assert owner(owned + "/l")[:2] == (5, 6) and owner(owned + "/a")[0] == 1002
user(1002, 2002, [], lambda: open(owned + "/a").close())
os.mkdir(owned + "/team"); os.chown(owned + "/team", 0, 2050); os.chmod(owned + "/team", 0o2775)
def carol():
    os.chdir(owned + "/team")
    write("f", "x"); os.mkdir("s"); write("s/g", "x")
    assert owner("f") == (1003, 2050, 0o644) and owner("s") == (1003, 2050, 0o2755) and owner("s/g")[1] == 2050
user(1003, 2003, [2050], carol)
def killed():
    os.chdir(owned + "/team")
    write("suid", "x"); os.chmod("suid", 0o4777)
user(1003, 2003, [2050], killed)
def writes():
    with open(owned + "/team/suid", "a") as file:
        file.write("y")
user(1004, 2004, [], writes)
assert owner(owned + "/team/suid")[2] == 0o777, "a write by another takes the suid bit away"
os.mknod(owned + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
assert os.stat(owned + "/null").st_rdev == os.makedev(1, 3) and stat.S_ISCHR(os.stat(squashed + "/null").st_mode)
os.mknod(owned + "/big", 0o600 | stat.S_IFBLK, os.makedev(4095, 1048575))
assert os.stat(owned + "/big").st_rdev == os.makedev(4095, 1048575)
`;

const LATER = `
assert owner(owned + "/a") == (1002, 2002, 0o600) and owner(owned + "/team/s") == (1003, 2050, 0o2755)
assert owner(owned) == (0, 0, 0o1777) and os.stat(owned + "/null").st_rdev == os.makedev(1, 3)
fails("EACCES", open, owned + "/null") # a mount is nodev
`;

if (requireFuse(t)) {
  await t.test("owners in a mount with --posix-owner", async (t) => {
    const home = await testHome(t);
    const [owned, squashed] = [await home.directory("owned"), await home.directory("squashed")];
    const mount = async (): Promise<void> => {
      t.match(await home.memfs("mount", "--posix-owner", "notes", owned), { code: 0, stderr: "" });
      t.match(await home.memfs("mount", "notes", squashed), { code: 0, stderr: "" });
    };
    const python = async (t: { strictSame: (found: unknown, wanted: unknown) => unknown }, script: string) => {
      const { code, stderr } = await run("python3", ["-c", PRELUDE + script, owned, squashed]);
      t.strictSame({ code, stderr }, { code: 0, stderr: "" });
    };
    // Other users have to reach the mounts.
    await run("chmod", ["755", home.place, `${home.place}/..`]);
    await home.memfs("store", "create", "notes");
    await mount();
    await t.test("who may do what, who owns what is made, and who may give it away", (t) => python(t, OWNERS));
    await t.test("it is there after a restart", async (t) => {
      await home.memfs("daemon", "stop");
      await mount();
      await python(t, LATER);
    });
    t.equal((await home.memfs("daemon", "stop")).code, 0);
    t.strictSame(await problemsIn(home.home.dir), []);
    t.notMatch(await home.log(), /"level":"error"/);
  });
}
