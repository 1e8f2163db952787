/** What extended attributes cost those who never use them: the kernel must not ask for a capability at every write. */
import t from "tap";
import { requireFuse, run } from "../fixtures/fuse.ts";
import { MemoryMounts } from "../fixtures/memory-mounts.ts";

const WRITES = `
import os, sys
flags = eval(sys.argv[2], vars(os))
fd = os.open(sys.argv[1] + "/f", flags | os.O_CREAT, 0o644)
for count in range(100):
    os.write(fd, b"x" * 100)
os.close(fd)
`;

if (requireFuse(t)) {
  await t.test("a writer causes no GETXATTR for each write", async (t) => {
    const { directory, view } = await new MemoryMounts(t).mount();
    const asked: string[] = [];
    view.onGetxattr = (name) => void asked.push(name);
    const ask = async (flags: string): Promise<string[]> => {
      asked.length = 0;
      const { code, stderr } = await run("python3", ["-c", WRITES, directory, flags]);
      t.strictSame({ code, stderr }, { code: 0, stderr: "" });
      return [...asked];
    };
    t.strictSame(await ask("O_WRONLY | O_TRUNC"), [], "writing only");
    t.strictSame(await ask("O_RDWR | O_APPEND"), [], "appending");
    const cached = await ask("O_RDWR");
    t.ok(cached.length <= 1, `through the kernel's pages at most once per file: ${cached.join()}`);
  });
}
