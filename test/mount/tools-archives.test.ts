/** What copies and unpacks trees brings everything along, both ways over the edge of a mount, and does not do it twice. */
import { join } from "node:path";
import t, { type Test } from "tap";
import { run } from "../fixtures/fuse.ts";
import { sameAsPlain, toolTests, type ToolPlace, works } from "../fixtures/tool-mount.ts";

/** A tree with everything that a copy can lose: modes, times, links of both kinds, attributes, holes, odd names. */
const TREE = `mkdir -p "$2/tree/sub/deep" "$2/tree/none"; cd "$2/tree"; for i in $(seq 60); do echo "content $i" > sub/$i; done
  head -c 300000 /dev/urandom > big; ln -s sub/1 soft; ln -s nowhere dangling; ln big sub/hard; : > void; truncate -s 70000 hole
  echo odd > "sp ace"; echo odd > "new
line"; echo odd > -dash; echo odd > "$(printf 'latin-\\351')"; echo '#!/bin/sh' > run; chmod 755 run; chmod 640 sub/5; chmod 2750 sub/deep
  chmod 000 sub/9; mkfifo pipe; setfattr -n user.kind -v tree big; setfattr -n user.kind -v dir sub
  touch -d @1600000000.123456789 sub/6; touch -h -d @1500000000.5 soft dangling pipe; touch -d @1400000000.25 sub/deep none sub .;`;

/** All that is known of a tree: types, modes, sizes, modification times, link counts and targets, attributes, sums. */
const FACTS = `find . -mindepth 1 -printf '%P|%y|%#m|%T@|%l|%n|' \\( -type d -printf '\\n' -o -printf '%s\\n' \\) | grep -v '^[^|]*|d|.*|[0-9]*|$' | sort
  find . -mindepth 1 -type d -printf '%P|%#m|%T@\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha1sum
  find . -mindepth 1 \\( -type f -o -type d \\) -print0 | sort -z | xargs -0 getfattr -d -m '^user[.]kind$' --`;

async function facts(t: Test, directory: string): Promise<string> {
  return await works(t, FACTS, directory);
}

async function tree(t: Test, { plain }: ToolPlace): Promise<string> {
  await works(t, TREE, plain, plain);
  return await facts(t, join(plain, "tree"));
}

/** Into the mount, on inside it, and out again. */
const HOPS = ['"$2/tree" "$1/in"', '"$1/in" "$1/copy"', '"$1/copy" "$2/out"'] as const;

async function copies(t: Test, place: ToolPlace): Promise<void> {
  const wanted = await tree(t, place);
  for (const hop of HOPS) await works(t, `cp -a ${hop}`, place.mounted, place.plain);
  for (const at of ["in", "copy"]) t.equal(await facts(t, join(place.mounted, at)), wanted, at);
  t.equal(await facts(t, join(place.plain, "out")), wanted, "out");
}

async function synchronised(t: Test, place: ToolPlace): Promise<void> {
  const wanted = await tree(t, place);
  const rsync = (from: string, to: string): Promise<string> =>
    works(
      t,
      // Every memory has these of its own: without the filter rsync finds other ones each time.
      'rsync -aHX --modify-window=-1 --filter="-x user.memfs.*" --itemize-changes --delete "$2/" "$3/"',
      place.mounted,
      from,
      to,
    );
  const [source, inside, copy, out] = [
    join(place.plain, "tree"),
    join(place.mounted, "in"),
    join(place.mounted, "copy"),
    join(place.plain, "out"),
  ];
  for (const [from, to] of [
    [source, inside],
    [inside, copy],
    [copy, out],
  ] as const) {
    t.not(await rsync(from, to), "", "the first run has work");
    t.equal(await facts(t, to), wanted);
    t.equal(await rsync(from, to), "", "the second run has none");
  }
  await works(
    t,
    "cd in; echo more >> sub/1; rm sub/2; mv sub/3 sub/33; chmod 700 sub/4; ln sub/4 linked",
    place.mounted,
  );
  const changes = await rsync(inside, copy);
  for (const change of [/\*deleting +sub\/2\n/, /\*deleting +sub\/3\n/, /^>f.*sub\/1$/m, /^\.f\.\.\.p.*sub\/4$/m])
    t.match(changes, change);
  t.equal(await facts(t, copy), await facts(t, inside));
  t.equal(await rsync(inside, copy), "");
  await works(
    t,
    "rsync -a --checksum --inplace --append-verify in/big copy/big; rsync -a --sparse in/ sparse/",
    place.mounted,
  );
  t.equal(await works(t, "diff -r --no-dereference -x pipe in sparse", place.mounted), "");
}

async function tarballs(t: Test, place: ToolPlace): Promise<void> {
  const wanted = await tree(t, place);
  for (const [kind, flag] of [
    ["gz", "z"],
    ["xz", "J"],
    ["plain", ""],
  ] as const) {
    const script = `tar --xattrs --format=posix -c${flag}f "$1/$3.tar" -C "$2/tree" .
      mkdir "$3"; tar --xattrs --xattrs-include='user.*' -x${flag}pf "$3.tar" -C "$3"
      tar --xattrs --format=posix -c -C "$3" . | tar --xattrs --xattrs-include='user.*' -xp -C "$(mkdir "$2/$3"; echo "$2/$3")"
      tar --xattrs -d${flag}f "$3.tar" -C "$3"`;
    await works(t, script, place.mounted, place.plain, kind);
    for (const at of [place.mounted, place.plain]) t.equal(await facts(t, join(at, kind)), wanted, `${kind} in ${at}`);
  }
}

/** The library that Python has is the one that is always there to make the archive. */
const ZIP = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for i in range(int(sys.argv[2])):
        entry = zipfile.ZipInfo(f"top/{i % 40}/{i}.md", (2020, 9, 13, 12, 26, i % 30 * 2))
        entry.external_attr = (0o100640 if i % 2 else 0o100755) << 16
        archive.writestr(entry, f"# note {i}\\n" + "word " * (i % 200))`;

async function manyFiles(t: Test, place: ToolPlace): Promise<void> {
  t.equal((await run("python3", ["-c", ZIP, join(place.plain, "../many.zip"), "2000"])).code, 0);
  const script = `unzip -q ../many.zip 2>/dev/null || unzip -q "$2"; find . -type f | wc -l; find . -type f -printf '%P %m %T@ %s\\n' | sort | sha1sum
    unzip -qo "$2"; unzip -qt "$2" > /dev/null; (cd top; zip -qr ../again.zip 1 2 3); unzip -qt again.zip > /dev/null; rm again.zip; rm -r top/[0-3]?`;
  await sameAsPlain(t, place, script, join(place.plain, "../many.zip"));
}

/** `mv` between stores and file systems is a copy and a removal; `rename` itself says EXDEV. */
async function movedOver(t: Test, place: ToolPlace): Promise<void> {
  const wanted = await tree(t, place);
  const spare = place.mount.spare;
  await works(
    t,
    'mv "$2/tree" one; mv one "$3/two"; mv "$3/two" three; test ! -e one; test ! -e "$3/two"; test ! -e "$2/tree"',
    place.mounted,
    place.plain,
    spare,
  );
  t.equal(await facts(t, join(place.mounted, "three")), wanted);
  const program =
    "import errno, os, sys\nfor call in os.rename, os.link:\n  try: call(*sys.argv[1:])\n  except OSError as e: assert e.errno == errno.EXDEV, e\n  else: assert False";
  t.strictSame(await run("python3", ["-c", program, join(place.mounted, "three/big"), join(spare, "big")]), {
    code: 0,
    stdout: "",
    stderr: "",
  });
}

const base = ["getfattr", "setfattr"];
await toolTests(t, {
  "cp -a keeps everything": { needs: base, native: "nanoseconds", body: copies },
  "rsync -aHX keeps everything, and has nothing to do the second time": {
    needs: [...base, "rsync"],
    native: "nanoseconds",
    body: synchronised,
  },
  "tar keeps everything, packed in any way": { needs: [...base, "xz"], native: "one_time", body: tarballs },
  "unzip makes thousands of files, zip reads them": { needs: ["unzip", "zip", "python3"], body: manyFiles },
  "mv moves trees between stores and file systems": {
    needs: [...base, "python3"],
    native: "nanoseconds",
    body: movedOver,
  },
});
