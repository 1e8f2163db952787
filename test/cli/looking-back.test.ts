import { appendFile, rename, writeFile } from "node:fs/promises";
import t from "tap";
import type { Blame } from "../../lib/api.ts";
import { mountedTest } from "../fixtures/drivers.ts";
import { testHome } from "../fixtures/home.ts";

mountedTest(t, "blame says who wrote each line, through renames, in any mount", async (t) => {
  const home = await testHome(t);
  const first = await home.directory("first");
  const second = await home.directory("second");
  await home.memfs("mount", "--create", "notes", first, "--agent", "scout", "--session", "s-1");
  await home.memfs("mount", "notes", second, "--agent", "editor", "--session", "s-2");
  await writeFile(`${first}/limits.md`, "API limit is 50 rps\n");
  await appendFile(`${second}/limits.md`, "retry with jitter\n");
  await rename(`${first}/limits.md`, `${first}/api.md`);

  const time = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d";
  const shown = await home.memfs("blame", "second/api.md");
  t.match(
    shown.stdout,
    new RegExp(`^@1  scout/s-1   ${time}  1  API limit is 50 rps\n@2  editor/s-2  ${time}  2  retry with jitter\n$`),
  );
  const blame = await home.json<Blame>("blame", "notes:/api.md");
  t.match(blame.lines, [
    { line: 1, text: "API limit is 50 rps", agent: "scout", session_id: "s-1", memory_version_id: /^memver_/ },
    { line: 2, text: "retry with jitter", agent: "editor", session_id: "s-2", created_at: /Z$/ },
  ]);
  t.equal((await home.json<Blame>("blame", "notes:/api.md@1")).lines.length, 1);

  await writeFile(`${first}/image`, Buffer.from([0, 1, 2]));
  const binary = await home.memfs("blame", "first/image");
  t.match(binary, { code: 65, stdout: "", stderr: /^memfs: memver_\w+ is binary and has no lines; .*\n$/ });
  t.match(await home.memfs("blame", "notes"), { code: 64, stderr: /notes is a store; name a memory/ });
  t.match(await home.memfs("blame", "notes:/none"), { code: 66, stderr: /no memory is or was at \/none/ });
});
