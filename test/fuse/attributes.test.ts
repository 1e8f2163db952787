/** Answers about a node that have room to ask for: extended attributes, and STATX. */
import { constants } from "node:os";
import t from "tap";
import { Opcode } from "../../daemon/fuse/kernel/abi.ts";
import type { Filesystem } from "../../lib/vfs/filesystem.ts";
import { Bench, BODIES, text, u32, u64 } from "../fixtures/fuse-request.ts";
import { ATTRIBUTES, recordingFilesystem } from "../fixtures/recording-filesystem.ts";

const { EINVAL, ERANGE } = constants.errno;
const FOREVER = 0x7fffffffn;

/** A bench whose kernel has introduced itself. */
function ready(overrides: Partial<Filesystem> = {}) {
  const { calls, filesystem } = recordingFilesystem(overrides);
  const it = new Bench(filesystem);
  it.ask(Opcode.INIT, { body: BODIES.INIT });
  return Object.assign(it, { calls });
}

t.test("an attribute is answered with its length, its bytes, or ERANGE", async (t) => {
  const ask = (opcode: "GETXATTR" | "LISTXATTR", room: number) =>
    ready().ask(Opcode[opcode], { body: opcode === "GETXATTR" ? [u32(room, 0), text("user.x")] : [u32(room, 0)] });
  t.strictSame(ask("GETXATTR", 0).body, u32(5, 0));
  t.strictSame(ask("GETXATTR", 5).body, Buffer.from("value"));
  t.equal(ask("GETXATTR", 4).errno, ERANGE);
  t.strictSame(ask("LISTXATTR", 0).body, u32(7, 0));
  t.strictSame(ask("LISTXATTR", 100).body, text("user.x"));
  t.equal(ask("LISTXATTR", 6).errno, ERANGE);
  const long = [u32(2, 0), text("user.x"), Buffer.from("v")];
  t.equal(ready().ask(Opcode.SETXATTR, { body: long }).errno, EINVAL, "a value that is not all there");
});

t.test("an answer to STATX has the birth time, and a device number taken apart", async (t) => {
  const asked = (body: readonly Buffer[]): unknown => {
    const it = ready();
    it.ask(Opcode.STATX, { body });
    return it.calls[0]?.[3];
  };
  t.equal(asked(BODIES.STATX), null);
  t.strictSame(asked([u32(1, 0), u64(7n), u32(0, 0xfff)]), { fhHigh: 0, fhLow: 7 });
  const rdev = 0x12345678;
  const { body } = ready({ getattr: () => ({ ...ATTRIBUTES, rdev }) }).ask(Opcode.STATX, { body: BODIES.STATX });
  t.equal(body.length, 288);
  t.strictSame(body.subarray(0, 32), Buffer.concat([u64(FOREVER), Buffer.alloc(24)]));
  t.strictSame(body.subarray(32, 64), Buffer.concat([u32(0xfff, 4096), u64(0n), u32(2, 1000, 100, 0o100640)]));
  t.strictSame(body.subarray(64, 96), u64(1n, 5_000_000_000n, 9_765_625n, 0n));
  const times = [
    u64(1_700_000_001n),
    u32(1, 0),
    u64(-2n),
    u32(3, 0),
    u64(5_000_000_000n),
    u32(999_999_999, 0),
    u64(-1n),
  ];
  t.strictSame(body.subarray(96, 160), Buffer.concat([...times, u32(2, 0)]));
  t.strictSame(body.subarray(160, 168), u32(0x456, 0x12378), "major and minor");
});
