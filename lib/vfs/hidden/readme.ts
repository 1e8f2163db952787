/** `.memfs/README`: what is here, for an agent that finds it. */

export const README = `This directory shows the past of the memory store it lies in. It is read-only and listed nowhere: name it to enter it.

README          this text
status          the store, your access, agent and session, and the number of the newest journal entry, as JSON
log             the newest 500 versions, newest first: time, #sequence, version, operation, path@n, agent/session, change of size
errors          operations of this mount that were refused or failed, newest first, a JSON object per line with the reason
                behind the errno. With "commit" the bytes are not lost: closing or fsyncing the file again tries again.
conflicts       what you or others wrote that does not go together with a file: time, the file, the file beside it with the
                other text, and whose that is. Merge them into the first and remove the second.
history/PATH/   every version of the file at PATH, with its exact bytes, size and time: 0001-created-<agent>,
                0002-modified-<agent>, ... A removed file is not listed, but found by name. Files that were at PATH before are
                in history/PATH/mem_.../. An empty file NNNN-deleted-<agent> is a deletion.
at/WHEN/        the whole store as it was at WHEN: a sequence number (at/1234), a version (at/memver_...), or a time
                (at/2026-11-21T09:42:10Z, "at/2h ago"). at/ itself lists nothing.

Look:           cat .memfs/log; ls .memfs/history/notes.md
Compare:        diff .memfs/history/notes.md/0003-* notes.md
Search once:    grep -r word .memfs/at/1234/
Bring back:     cp .memfs/history/notes.md/0003-* notes.md     (a new version: nothing is ever rewritten)
`;
