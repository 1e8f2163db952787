/** The table of locks beside a model that is too simple to be wrong. */
import fc from "fast-check";
import t from "tap";
import { MemfsError } from "../../lib/errors.ts";
import type { Claim } from "../../lib/vfs/file-locks.ts";
import { LockTable } from "../../lib/vfs/lock-table.ts";
import type { Parked } from "../../lib/vfs/parked.ts";
import { claim, MOUNT, outcome } from "../fixtures/lock-claims.ts";
import { LockModel, MODEL_BYTES, type ModelClaim } from "../fixtures/lock-model.ts";

/** Owners 1 to 4 with two handles each, on three files. */
type Step =
  | { readonly kind: "take" | "wait" | "free"; readonly claim: ModelClaim }
  | { readonly kind: "close"; readonly node: number; readonly owner: number }
  | { readonly kind: "release"; readonly handle: number }
  | { readonly kind: "interrupt"; readonly owner: number };

const owners = fc.integer({ min: 1, max: 4 });
const nodes = fc.integer({ min: 0, max: 2 });
/** A handle is of one owner and one file: it is derived from both. */
const handleOf = (owner: number, node: number, second: boolean): number => owner * 10 + node * 2 + (second ? 1 : 0);
const bytes = fc.integer({ min: 0, max: MODEL_BYTES - 1 });
const claims = fc
  .record({ node: nodes, owner: owners, second: fc.boolean(), exclusive: fc.boolean(), a: bytes, b: bytes })
  .map(({ node, owner, second, exclusive, a, b }): ModelClaim => {
    return { node, owner, handle: handleOf(owner, node, second), exclusive, from: Math.min(a, b), to: Math.max(a, b) };
  });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("take", "wait", "wait", "free"), claim: claims }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close"), node: nodes, owner: owners }) },
  {
    weight: 1,
    arbitrary: fc
      .record({ owner: owners, node: nodes, second: fc.boolean() })
      .map(({ owner, node, second }) => ({ kind: "release", handle: handleOf(owner, node, second) }) as const),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("interrupt"), owner: owners }) },
);

/** The table beside the model: each step in both, and what an owner waits for. */
class Pair {
  readonly table = new LockTable();
  readonly model = new LockModel();
  readonly #waits = new Map<number, { claim: ModelClaim; parked: Parked; outcome: { value: string } }>();

  step(step: Step): void {
    if (step.kind === "interrupt") this.#interrupt(step.owner);
    else if (step.kind === "close") this.#close(step.node, step.owner);
    else if (step.kind === "release") this.#release(step.handle);
    else if (!this.#waits.has(step.claim.owner)) this.#lock(step.kind, step.claim);
    this.#woken(this.model.wake());
    this.#compare();
  }

  #lock(kind: "take" | "wait" | "free", wanted: ModelClaim): void {
    const real = realClaim(wanted);
    if (kind === "free") {
      this.table.free(real);
      this.model.free(wanted);
      return;
    }
    const granted = this.table.take(real) === null;
    equal(granted, this.model.take(wanted), "granted");
    if (granted || kind === "take") return;
    const deadlocks = this.model.deadlocks(wanted);
    try {
      const parked = this.table.wait(real);
      equal(false, deadlocks, "a circle was not seen");
      this.#waits.set(wanted.owner, { claim: wanted, parked, outcome: outcome(parked) });
      this.model.waiters.push(wanted);
    } catch (error) {
      if (!(error instanceof MemfsError) || error.code !== "deadlock") throw error;
      equal(true, deadlocks, "a circle was seen");
    }
  }

  #close(node: number, owner: number): void {
    this.table.closed(MOUNT, node, { ownerHigh: 0xffffffff, ownerLow: owner });
    this.model.closed(node, owner);
  }

  #release(handle: number): void {
    const node = (handle % 10) >> 1;
    // The kernel keeps a handle while a request for it is under way.
    if ([...this.#waits.values()].some(({ claim: { handle: used } }) => used === handle)) return;
    this.table.released(MOUNT, node, handle);
    this.model.released(handle);
  }

  #interrupt(owner: number): void {
    const waits = this.#waits.get(owner);
    if (waits === undefined) return;
    waits.parked.interrupt();
    equal(waits.outcome.value, "interrupted", "outcome");
    this.#waits.delete(owner);
    this.model.waiters = this.model.waiters.filter((waiter) => waiter !== waits.claim);
  }

  #woken(granted: readonly ModelClaim[]): void {
    for (const { owner } of granted) {
      equal(this.#waits.get(owner)?.outcome.value, "granted", "woken");
      this.#waits.delete(owner);
    }
    for (const { outcome: still } of this.#waits.values()) equal(still.value, "waits", "woken too early");
    equal(this.table.waiting, this.model.waiters.length, "waiters");
  }

  /** Every byte, asked for by every owner and by an outsider. */
  #compare(): void {
    for (let owner = 1; owner <= 5; owner++)
      for (let node = 0; node < 3; node++)
        for (let byte = 0; byte < MODEL_BYTES; byte++)
          for (const exclusive of [false, true]) {
            const probe = { node, owner, handle: 0, exclusive, from: byte, to: byte };
            const found = this.table.test(realClaim(probe));
            equal(found !== null, this.model.against(probe).size > 0, `owner ${owner}, node ${node}, byte ${byte}`);
          }
  }

  end(): void {
    this.table.detached(MOUNT);
    equal(this.table.held, 0, "held at the end");
    equal(this.table.waiting, 0, "waiting at the end");
  }
}

function realClaim({ node, owner, handle, exclusive, from, to }: ModelClaim): Claim {
  return claim({ node, owner, handle, exclusive, range: [from, to === MODEL_BYTES - 1 ? null : to] });
}

function equal(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Error(`${what}: ${String(found)} instead of ${String(wanted)}`);
}

t.test("any sequence of locks leaves what a map of bytes has", async (t) => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  t.comment(`SEED=${seed}`);
  const property = fc.property(fc.array(steps, { minLength: 1, maxLength: 60 }), (sequence) => {
    const pair = new Pair();
    for (const step of sequence) pair.step(step);
    pair.end();
  });
  fc.assert(property, { seed, numRuns: 400 });
});
