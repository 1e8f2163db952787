/** The small tools of every script do in a mount what they do in a plain directory: searching, editing, times, make. */
import t, { type Test } from "tap";
import { nativeCannot } from "../fixtures/drivers.ts";
import { shell } from "../fixtures/fuse.ts";
import { sameAsPlain, toolTests, type ToolPlace, works } from "../fixtures/tool-mount.ts";

/** Some hundred files with something to find; the same bytes each time. */
const CORPUS = `mkdir -p notes/a/b .hidden; for i in $(seq 150); do
    printf 'note %s\\nneedle %s here\\nÄpfel und Käse\\n' $i $((i % 7)) > notes/a/$i.md; done
  for i in $(seq 50); do seq $i $((i + 200)) > notes/a/b/$i.txt; done; printf 'a\\0needle\\0' > notes/binary
  echo needle > .hidden/f; echo needle > notes/.dot; ln -s a notes/link; : > notes/void;`;

async function searching(t: Test, place: ToolPlace): Promise<void> {
  const script = `${CORPUS} rg -n needle . | sort; rg -uuu -c needle . | sort; rg -l --sort path '^1[0-9]{2}$' .; rg -F 'Käse' --files-with-matches . | wc -l
    rg --mmap -c 'needle 3' . | sort; rg --no-mmap -c 'needle 3' . | sort; rg --files | sort | sha1sum
    grep -rIn needle . | sort; grep -rlZ '^77$' notes | sort -z | tr '\\0' '\\n'; grep -rc needle --include='*.md' notes | sort; grep -c x notes/void || true
    find . -name '*.md' -size -2 | wc -l; find . -type l; find . -empty
    wc -l notes/a/b/*.txt | tail -1; cat notes/a/*.md | sha1sum; head -qn1 notes/a/[1-9].md; tail -c 7 notes/a/1.md; ls -R | sha1sum`;
  const output = await sameAsPlain(t, place, script);
  t.equal(output.match(/needle 3 here/g)?.length, 2 * 22, "both searches found all of it");
}

async function newer(t: Test, place: ToolPlace): Promise<void> {
  if (nativeCannot(t, "nanoseconds")) return;
  const script = `for i in 1 2 3 4 5; do touch -d @160000000$i.5 f$i; done; touch -d @1600000003.500000001 mark
    find . -newer f3 -type f | sort; find . -newermt @1600000004 -type f | sort; find . ! -newer f2 -type f | sort; ls -t; ls -tr
    touch -r f1 f5; stat -c '%y %n' f5; test f4 -nt f5; touch -m -d @5 f4; stat -c %Y f4; touch -a -d @7 f4; stat -c '%X %Y' f4
    touch -d '2021-02-03 04:05:06.789' f2; stat -c %y f2; touch -c absent; test ! -e absent; date -r f2 +%s.%N; sleep 0.02; touch now; test now -nt mark`;
  await sameAsPlain(t, place, script);
}

async function editing(t: Test, place: ToolPlace): Promise<void> {
  const script = `seq 500 > f; sed -i 's/7/seven/g; 3d' f; sed -i.bak '1i first' f; cmp f f.bak | cut -d: -f1 || true; sha1sum f f.bak
    sort -R f > g; sort -o g g; sort -c g; sort -u -o g g f; sha1sum g; tac g > gt; tac gt | cmp - g; shuf -n 3 f | wc -l
    echo one | tee t > /dev/null; echo two | tee -a t; echo three | tee -a t t2 > /dev/null; cat t t2
    cp f p; perl -pi -e 's/seven/7/g' p; sha1sum p; awk '{ print NR, $0 > "awked" NR % 3 }' f; cat awked*; split -l 100 f part.; cat part.* | cmp - f; csplit -sz f /100/ /200/; cat xx* | cmp - f
    printf 'x%.0s' $(seq 1000) > long; fold -w 50 long | wc -l; iconv -f latin1 -t utf8 long > long2
    ( echo a; echo b >&3 ) 3>> both >> both; cat both; : > both; exec 3<> rw; echo rw >&3; cat rw; exec 3>&-; set -C; (echo no > f) 2> /dev/null || echo noclobber
    gzip -k f; gunzip -c f.gz | cmp - f; zcat f.gz | wc -l; rm f.gz; mkdir d; cp f p t d; rm -r d; ln -sf t s; ln -sfn t2 s; readlink s; mktemp -p . XXXXXX > /dev/null; rm ??????`;
  await sameAsPlain(t, place, script);
}

async function sizes(t: Test, place: ToolPlace): Promise<void> {
  const script = `echo hello > f; truncate -s 3 f; cat f; echo; truncate -s 10 f; od -c f; truncate -s +5 f; stat -c %s f; truncate -s 0 f; stat -c %s f
    dd if=/dev/zero of=z bs=64k count=20 status=none; dd if=z of=direct bs=64k iflag=direct oflag=direct status=none; cmp z direct; dd if=direct bs=4096 iflag=direct status=none | sha1sum
    seq 100000 > n; dd if=n of=part bs=1000 skip=3 seek=2 count=5 status=none; sha1sum part; dd if=n of=part bs=1000 seek=1 count=1 conv=notrunc status=none; sha1sum part
    printf tail | dd of=part oflag=append conv=notrunc status=none; tail -c 4 part; dd if=n of=synced bs=100k oflag=sync conv=fsync,fdatasync status=none; cmp n synced
    dd if=/dev/null of=sparse bs=1 seek=100000 status=none; cp --sparse=always sparse sp2; cmp sparse sp2; cp --reflink=auto n n2; cmp n n2; fallocate -l 5000 fa 2> /dev/null || truncate -s 5000 fa; stat -c %s fa
    cat n n > nn; cat nn >> n; wc -c n; cat < n > /dev/null; head -c 1M /dev/zero | tee big1 big2 | wc -c; cmp big1 big2; shred -n 1 -u big1; test ! -e big1; rm -f sparse`;
  await sameAsPlain(t, place, script);
}

async function modes(t: Test, place: ToolPlace): Promise<void> {
  const script = `echo x > f; install -m 640 f i; install -d -m 750 dir/sub; install -D -m 4711 f dir/deep/er/i; install -p f p; test ! f -nt p
    install -b -m 600 f i; stat -c '%n %a' i i~ dir/sub dir/deep/er/i; chmod u+x,go= f; stat -c %a f; chmod -R g+w dir; stat -c %a dir dir/sub
    umask 077; echo y > private; mkdir pd; stat -c %a private pd; umask 022; cp --preserve=mode private c; cp private d; stat -c %a c d; chmod 1777 pd; stat -c '%A' pd
    cp -l f hard; stat -c %h f; cp -s f soft || ln -s f soft; cp -u f p; cp -f f i; mv -n f p; cat p; mv -b p i; ls; mv -T dir dir2; rmdir pd; mv i private dir2; ls -R; ln -sr dir2/i rel; cat rel; realpath --relative-to=. rel`;
  await sameAsPlain(t, place, script);
}

async function patching(t: Test, place: ToolPlace): Promise<void> {
  const script = `mkdir old new; for i in $(seq 20); do seq $i $((i + 50)) > old/$i; done; cp -a old/. new; sed -i 's/^3/three/' new/*; rm new/7; echo added > new/21
    diff -ruN --label o --label n old new > /dev/null || true; (diff -ruN old new || true) | sed 's/\\t.*//' > p; cp -a old work; patch -s -E -p1 -d work < p; diff -r work new && echo applied
    patch -s -E -R -p1 -d work < p; diff -r work old && echo reversed; patch -s -E -b -p1 -d work < p; ls work | wc -l; echo other > work/1; patch -s --dry-run -p1 -d work < p > /dev/null || echo refused; rm p`;
  t.match(await sameAsPlain(t, place, script), /applied\nreversed\n.*\nrefused\n/);
}

const MAKEFILE = `SOURCES := $(wildcard *.in)
all: $(SOURCES:.in=.out) sub/total
%.out: %.in
	@echo make $@; sed s/a/b/ $< > $@
sub/total: $(SOURCES:.in=.out) | sub
	@echo total; cat $^ > $@.tmp; mv $@.tmp $@
sub:
	@mkdir -p sub
`;

/** make looks at times to the nanosecond: what was made after another file must be newer than it. */
async function making(t: Test, place: ToolPlace): Promise<void> {
  const script = `printf %s "$2" > Makefile; for i in 1 2 3 4 5 6; do echo a$i > $i.in; done; make -s -j4 | sort; make -q && echo done; make -s
    sleep 0.02; echo ax > 3.in; make -s; make -q && echo done; touch -d '1 hour ago' 4.out; make -s; touch 5.in; make -n | sort; make -s -B -j4 | sort; cat sub/total`;
  t.match(await sameAsPlain(t, place, script, MAKEFILE), /done\nmake 3\.out\ntotal\ndone\nmake 4\.out\ntotal\n/);
}

/** Appends of whole lines by many shells, through two mounts. */
async function appending(t: Test, { mounted, other }: ToolPlace): Promise<void> {
  const script =
    'i=0; while [ $i -lt 40 ]; do echo "$2 $i $(printf %0200d $i)" >> "$1/log"; echo "$2 $i" | tee -a "$1/log2" > /dev/null; i=$((i + 1)); done';
  const workers = ["a", "b", "c", "d"].map((who, n) => shell(script, n % 2 === 0 ? mounted : other, who));
  for (const outcome of await Promise.all(workers)) t.strictSame(outcome, { code: 0, stdout: "", stderr: "" });
  for (const at of [mounted, other]) {
    t.equal(
      await works(
        t,
        "wc -l < log; grep -cE '^[a-d] [0-9]+ [0-9]{200}$' log; sort -u log | wc -l; sort -u log2 | wc -l",
        at,
      ),
      "160\n160\n160\n160\n",
    );
  }
}

await toolTests(t, {
  "grep -r, rg and find see what they see elsewhere": { needs: ["rg"], body: searching },
  "touch, find -newer and ls -t go by exact times": { needs: [], body: newer },
  "sed -i, sort -o, tee, perl -i, split and redirections": { needs: ["perl"], body: editing },
  "truncate, dd with O_DIRECT, and sparse files": { needs: [], body: sizes },
  "install, chmod, umask, cp and mv with their options": { needs: [], body: modes },
  "diff and patch": { needs: ["patch"], body: patching },
  "make rebuilds what is out of date, and nothing else": { needs: ["make"], body: making },
  "shells append to one file through two mounts": { needs: [], body: appending },
});
