/** Requests on ranges of a file: which call each becomes, and its answer. */

import { constants } from "node:os";
import t from "tap";
import { Opcode } from "../../daemon/fuse/kernel/abi.ts";
import type { OpcodeName } from "../../daemon/fuse/kernel/abi.ts";
import type { Filesystem } from "../../lib/vfs/filesystem.ts";
import { Bench, BODIES, u32, u64 } from "../fixtures/fuse-request.ts";
import { recordingFilesystem } from "../fixtures/recording-filesystem.ts";

const { EINVAL } = constants.errno;
const ROOT = { slot: 0, number: 1 };
const NINE = { slot: 0, number: 9 };
const FH = { fhHigh: 0, fhLow: 7 };

/** A bench whose kernel has introduced itself. */
function ready(overrides: Partial<Filesystem> = {}) {
  const { calls, filesystem } = recordingFilesystem(overrides);
  const bench = new Bench(filesystem);
  bench.ask(Opcode.INIT, { body: BODIES.INIT });
  return Object.assign(bench, { calls });
}

/** What the filesystem was asked, without the caller. */
function asked(name: OpcodeName, body: readonly Buffer[] = BODIES[name]): unknown[] {
  const bench = ready();
  t.equal(bench.ask(Opcode[name], { body }).errno, 0, name);
  const [method, , ...rest] = bench.calls[0] ?? ["nothing"];
  return [method, ...rest];
}

t.test("FALLOCATE passes on its range and mode", async (t) => {
  t.strictSame(asked("FALLOCATE"), ["fallocate", ROOT, FH, { offset: 0, length: 4096 }, 0]);
  const body = [u64(7n, 2n ** 40n, 2n ** 41n), u32(3, 0)];
  t.strictSame(asked("FALLOCATE", body), ["fallocate", ROOT, FH, { offset: 2 ** 40, length: 2 ** 41 }, 3]);
});

t.test("copying a range names both ends, and each of the two opcodes has its own answer", async (t) => {
  const from = { node: ROOT, handle: FH, offset: 0 };
  const to = { node: NINE, handle: { fhHigh: 0, fhLow: 8 }, offset: 0 };
  t.strictSame(asked("COPY_FILE_RANGE"), ["copyRange", from, to, 10]);
  t.strictSame(asked("COPY_FILE_RANGE_64"), ["copyRange", from, to, 10]);
  t.strictSame(ready().ask(Opcode.COPY_FILE_RANGE, { body: BODIES.COPY_FILE_RANGE }).body, u32(6, 0));
  const large = ready({ copyRange: () => 5_000_000_001 });
  t.strictSame(large.ask(Opcode.COPY_FILE_RANGE_64, { body: BODIES.COPY_FILE_RANGE_64 }).body, u64(5_000_000_001n));
  const flagged = [u64(7n, 0n, 9n, 8n, 0n, 10n, 1n)];
  t.equal(ready().ask(Opcode.COPY_FILE_RANGE, { body: flagged }).errno, EINVAL);
});

t.test("LSEEK keeps all bits of its offset, there and back", async (t) => {
  const body = [u64(7n, 2n ** 40n + 1n), u32(4, 0)];
  t.strictSame(asked("LSEEK", body), ["lseek", ROOT, FH, 2 ** 40 + 1, 4]);
  t.strictSame(ready().ask(Opcode.LSEEK, { body }).body, u64(5_000_000_001n));
});
