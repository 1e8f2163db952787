/** git keeps a repository in a mount: branches, packs, clones in every direction, and all of it after a restart. */
import t, { type Test } from "tap";
import { toolTests, type ToolPlace, sameAsPlain, works } from "../fixtures/tool-mount.ts";

/** The same commits wherever and whenever they are made, so that their hashes can be compared. */
const AUTHOR = `export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=n@example.org GIT_AUTHOR_DATE='1600000000 +0000'
  export GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=n@example.org GIT_COMMITTER_DATE='1600000000 +0000';`;

const CREATE = `${AUTHOR}
  git init -q -b main repo; cd repo; mkdir -p d/e; for i in $(seq 60); do echo $i > d/$i; echo "e$i" > d/e/$i; done
  ln -s d/1 link; printf '#!/bin/sh\\necho ran\\n' > run; chmod +x run; head -c 200000 /dev/zero > big
  git add .; git commit -qm first`;

const LIVE = `${AUTHOR} cd repo
  git checkout -qb side; echo two > d/1; git rm -q d/7; git mv d/8 moved; echo more >> d/e/9; git commit -qam second
  git checkout -q main; echo main > d/2; git commit -qam third; test -e d/7; cat d/1; ./run
  git merge -q side -m merged; test ! -e d/7; cat d/1 moved; git status --porcelain
  for i in $(seq 15); do git checkout -q side; git checkout -q main; done; git status --porcelain
  echo stashed > d/3; git stash -q; cat d/3; git stash pop -q; cat d/3; git checkout -q d/3
  git worktree add -q ../tree side; git -C ../tree status --porcelain; git worktree remove ../tree
  git tag v1; git rebase -q --onto main~1 main~2 side 2>&1 | head -1; git checkout -q main`;

const LOOK = `${AUTHOR} cd repo
  git gc -q --prune=now; git fsck --full --strict 2>&1; git status --porcelain; git log --all --format='%H %s'
  git ls-files -s | sha1sum; git count-objects -v | grep -E 'count|packs|garbage'`;

/** The index holds node numbers, times and sizes: `git diff-files` would list what they do not fit any more. */
const STATUS = `cd repo; git diff-files --name-only; git status --porcelain; git fsck --full --strict 2>&1; git rev-parse HEAD`;

/** What git itself writes differs by times and node numbers, so outputs are compared and not the files in `.git`. */
async function repository(t: Test, { mount, mounted, plain }: ToolPlace): Promise<void> {
  for (const script of [CREATE, LIVE, LOOK]) t.equal(await works(t, script, mounted), await works(t, script, plain));
  await works(t, 'diff -r --no-dereference -x .git repo "$2/repo"', mounted, plain);
  await mount.restart();
  t.equal(await works(t, STATUS, mounted), await works(t, STATUS, plain), "clean after a restart of the daemon");
}

/** Clones through the file system (hard links where git can) and through a pack. */
async function clones(t: Test, { mount, mounted, plain }: ToolPlace): Promise<void> {
  await works(t, CREATE, plain);
  const script = `${AUTHOR}
    git clone -q "$2/repo" in; git clone -q --no-local "file://$2/repo" packed; git clone -q in again; git clone -q --bare in bare.git
    for i in in packed again; do (cd $i; git fsck --full --strict 2>&1; git status --porcelain; diff -r --no-dereference -x .git . "$2/repo"); done
    cd again; echo pushed > d/4; git commit -qam push; git push -q ../bare.git main; git -C ../bare.git fsck --strict 2>&1
    cd ../packed; git pull -q ../bare.git main; cat d/4; git clone -q "$1/bare.git" "$2/out"; cat "$2/out/d/4"
    git -C "$2/out" fsck --strict 2>&1`;
  t.equal(await works(t, script, mounted, plain), "pushed\npushed\n");
  await works(t, 'git clone -q "$1/in" "$2/t-clone"; rm -rf "$2/t-clone"', mounted, mount.spare);
}

/** Two mounts of one store: what one commits, the other has. */
async function twoMounts(t: Test, { mounted, other }: ToolPlace): Promise<void> {
  await works(t, `${CREATE}; git config safe.directory "*"`, mounted);
  // Who writes has looked at what the other one left: else both are kept.
  for (const [round, at] of [other, mounted, other, mounted].entries()) {
    const script = `${AUTHOR} cd repo; git status --porcelain; grep -q . d/1; echo "$2" > d/1; git commit -qam "$2"; git log --oneline | wc -l`;
    t.equal(await works(t, script, at, `round ${round}`), `${round + 2}\n`);
  }
  t.equal(
    await works(t, "cd repo; git fsck --full --strict 2>&1; git status --porcelain; cat d/1", other),
    "round 3\n",
  );
}

async function patches(t: Test, place: ToolPlace): Promise<void> {
  const script = `${CREATE}; for i in 1 2 3; do echo "p$i" >> d/$i; git commit -qam "patch $i"; done
    git format-patch -q -3 -o ../patches; git reset -q --hard HEAD~3; git am -q ../patches/*; git log --format='%H %s'
    git archive HEAD | tar t | sha1sum; rm -rf ../repo`;
  await sameAsPlain(t, place, script);
}

await toolTests(t, {
  "a repository lives in a mount, and is clean after a restart": { needs: ["git"], body: repository },
  "clones into, inside and out of a mount": { needs: ["git"], body: clones },
  "one repository is used through two mounts": { needs: ["git"], body: twoMounts },
  "patches are made and applied": { needs: ["git"], body: patches },
});
