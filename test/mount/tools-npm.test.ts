/** npm installs a tree of packages into a mount, without a network, and node runs what is there. */
import t, { type Test } from "tap";
import { sameAsPlain, toolTests, type ToolPlace, works } from "../fixtures/tool-mount.ts";

/** Nothing of the user's own settings, and no word to a registry. */
const OFFLINE = `for name in $(env | sed -n 's/^\\(npm_[^=]*\\)=.*/\\1/ip'); do unset "$name"; done
  export npm_config_cache="$1/cache" npm_config_userconfig=/dev/null npm_config_offline=true npm_config_audit=false
  npm_config_fund=false npm_config_update_notifier=false npm_config_loglevel=error;`;

/** Two packages, one that needs the other and has a command and many files; packed where the script runs. */
const PACK = `mkdir -p lib/src tool/bin; for i in $(seq 80); do echo "exports.n = $i;" > lib/src/$i.js; done
  echo '{"name":"tiny-lib","version":"1.0.0","main":"index.js"}' > lib/package.json
  echo 'exports.sum = () => { let s = 0; for (let i = 1; i <= 80; i++) s += require("./src/" + i).n; return s; };' > lib/index.js
  echo '{"name":"tiny-tool","version":"2.0.0","bin":{"tiny":"bin/tiny.js"},"dependencies":{"tiny-lib":"1.0.0"}}' > tool/package.json
  printf '#!/usr/bin/env node\\nconsole.log("sum", require("tiny-lib").sum(), __dirname.endsWith("tiny-tool/bin"));\\n' > tool/bin/tiny.js
  npm pack --silent ./lib ./tool | sort;`;

const INSTALL = `mkdir app; cd app; echo '{"name":"app","version":"1.0.0","type":"module"}' > package.json
  npm install --silent ../tiny-lib-1.0.0.tgz ../tiny-tool-2.0.0.tgz > /dev/null
  find . -type f | sort; readlink node_modules/.bin/tiny; node_modules/.bin/tiny; npx --no tiny; npm ls --all | sed 1d
  echo 'import lib from "tiny-lib"; import fs from "node:fs"; fs.writeFileSync("out", "" + lib.sum());' > run.js; node run.js; cat out; echo
  rm -r node_modules; npm ci --silent > /dev/null; node run.js; npx --no tiny; npm uninstall --silent tiny-tool > /dev/null
  test ! -e node_modules/tiny-tool; test ! -e node_modules/.bin/tiny; node run.js; cd ..; rm -r cache`;

/** The cache is in the mount as well: npm keeps its downloads there and moves them into place. */
async function installs(t: Test, { mounted, plain, mount }: ToolPlace): Promise<void> {
  const script = OFFLINE + PACK + INSTALL;
  const output = await works(t, script, plain);
  t.match(output, /sum 3240 true\n/);
  t.equal(await works(t, script, mounted), output);
  t.equal(
    await works(t, 'diff -r --no-dereference "$2/app/node_modules/tiny-lib" app/node_modules/tiny-lib', mounted, plain),
    "",
  );
  await mount.restart();
  t.equal(await works(t, "cd app; node run.js; cat out", mounted), "3240", "after a restart of the daemon");
}

/** node's own calls, many of them at once on its thread pool. */
const CALLS = `
const { promises: fs, ...sync } = require("fs"), assert = require("assert"), { once } = require("events");
(async () => {
  await fs.mkdir("a/b/c", { recursive: true });
  await Promise.all(Array.from({ length: 100 }, (_, i) => fs.writeFile("a/b/" + i, "x".repeat(i * 100))));
  assert.equal((await fs.readdir("a/b")).length, 101);
  assert.equal((await fs.readdir("a", { recursive: true, withFileTypes: true })).filter((e) => e.isFile()).length, 100);
  await fs.cp("a", "z", { recursive: true, preserveTimestamps: true });
  assert.equal((await fs.readFile("z/b/99")).length, 9900);
  const out = sync.createWriteStream("stream"); for (let i = 0; i < 200; i++) out.write("line " + i + "\\n"); out.end(); await once(out, "close");
  let text = ""; for await (const part of sync.createReadStream("stream", { encoding: "utf8", highWaterMark: 100 })) text += part;
  assert.equal(text.split("\\n").length, 201);
  await Promise.all(Array.from({ length: 100 }, (_, i) => fs.appendFile("appended", i + "\\n")));
  assert.equal(new Set((await fs.readFile("appended", "utf8")).trim().split("\\n")).size, 100);
  await assert.rejects(fs.open("stream", "wx"), { code: "EEXIST" }); await assert.rejects(fs.rmdir("a"), { code: "ENOTEMPTY" });
  await fs.copyFile("stream", "copy", sync.constants.COPYFILE_EXCL); await fs.truncate("copy", 4); await fs.rename("copy", "stream");
  assert.equal(await fs.readFile("stream", "utf8"), "line"); await fs.utimes("stream", 1.5, 2.25); assert.equal((await fs.stat("stream")).mtimeMs, 2250);
  const big = await fs.stat("stream", { bigint: true }); assert.equal(big.mtimeNs, 2250000000n);
  const d = await fs.mkdtemp("tmp-"); await fs.rm(d, { recursive: true }); await fs.rm("a", { recursive: true });
})();`;

async function calls(t: Test, place: ToolPlace): Promise<void> {
  await sameAsPlain(t, place, 'node -e "$2"; sort -o appended appended; find . | sort', CALLS);
}

await toolTests(t, {
  "npm packs, installs, and removes packages": { needs: ["npm"], body: installs },
  "node's own calls": { needs: [], body: calls },
});
