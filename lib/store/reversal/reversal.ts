/** Going back in an open store: always forward, as one transaction of new versions that can itself be undone. */

import { MemfsError } from "../../errors.ts";
import { formatId, parseId, type Uid } from "../../id.ts";
import type { Arranged, Arrangement } from "./arrangement.ts";
import { Arranger } from "./arranger.ts";
import type { Counters } from "../records/counters.ts";
import { fromBytes, printable, toBytes } from "../tree/names.ts";
import { isDirectory } from "../tree/mode.ts";
import type { Moment, Past } from "../history/past.ts";
import { readPastTree } from "../history/past-tree.ts";
import { planRollback } from "./rollback.ts";
import type { Settling } from "../settling.ts";
import type { StoreState } from "../state.ts";
import type { Cause, Transaction } from "../transaction.ts";
import { nodeAt, ROOT_NODE } from "../tree/tree.ts";
import { planTreeRollback, type TreeRollback } from "./tree-rollback.ts";
import { type Steps, Turns } from "../turns.ts";
import type { Kept, Reversed, Reverted, RollbackResult, StoreInfo, VersionSpec } from "../types.ts";
import type { VersionRecord } from "../records/version-record.ts";
import { resolveVersion, versionInfo } from "../versions.ts";
import { type UndoPlan, UndoPlanner } from "./undo.ts";
import { type UndoOf, UndoSelection } from "./undo-selection.ts";
import { loadSubtree, subtreeLoaded } from "../tree/walk.ts";

/** What going back works on. */
export interface ReversalOptions {
  readonly state: StoreState;
  readonly past: Past;
  readonly settling: Settling;
  readonly describe: () => { readonly info: StoreInfo };
  readonly begin: (cause: Cause) => Transaction;
  /** @throws MemfsError `no_space`, `io`, `closed` */
  readonly commit: (tx: Transaction) => void;
}

/** How to go back. */
export interface ReversalRequest {
  /** Nothing is changed, and the answer is what would be. */
  readonly dryRun?: boolean | undefined;
  /** For the new versions; by default they say what was done. */
  readonly note?: string | undefined;
}

export interface RollbackRequest extends ReversalRequest {
  readonly memoryId: string;
  readonly to: VersionSpec;
  /** Back at the version's path, too. */
  readonly withPath?: boolean | undefined;
  /** At this path (absolute). */
  readonly as?: Buffer | undefined;
}

export interface TreeRollbackRequest extends ReversalRequest {
  /** Absolute; of a directory now or then. */
  readonly path: Buffer;
  readonly to: Moment;
}

export interface UndoRequest extends ReversalRequest {
  readonly of: UndoOf;
  /** What others built on it goes, too. */
  readonly force?: boolean | undefined;
}

/** What a reversal is in the journal. */
interface Entry {
  readonly kind: "rollback" | "undo";
  readonly detail: Readonly<Record<string, unknown>>;
  readonly note: string;
}

/** What is to be done, to the store as it is with these counters: every commit makes new ones. */
interface Plan {
  readonly arrangement: Arrangement;
  readonly counters: Counters;
}

/** What was done. */
interface Applied {
  readonly seq: number | null;
  readonly arranged: readonly Arranged[];
}

/** How a plan is carried out. */
interface Carrying {
  readonly entry: Entry;
  readonly cause: Cause;
  readonly dryRun: boolean;
}

/** Work is done in turns with other work. After so many times that the store changed meanwhile, it is done at once. */
const ATTEMPTS = 4;
const ROOT_PATH = "";

export class Reversal {
  readonly #options: ReversalOptions;
  readonly #state: StoreState;

  constructor(options: ReversalOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  /**
   * Gives a memory the content of one of its versions again. Equal content makes no version.
   * @throws MemfsError `not_found`, `exists` when the path is taken, `busy`, `archived`, `no_space`
   */
  async rollback(request: RollbackRequest, cause: Cause): Promise<RollbackResult> {
    await this.#options.settling.recordAllInTurns();
    const uid = parseId("mem", request.memoryId);
    const to = await resolveVersion(this.#state, uid, request.to);
    this.#options.settling.recordAll();
    const memory = this.#state.memory(uid);
    if (memory === undefined) throw new MemfsError("not_found", `no memory ${request.memoryId} in this store`);
    const as = request.as === undefined ? null : checkPath(fromBytes(request.as));
    const arrangement = planRollback(this.#state, { memory, to, withPath: request.withPath ?? false, as });
    const plan = { arrangement, counters: this.#state.counters };
    const detail = { memory: request.memoryId, to: to.seq };
    const entry: Entry = { kind: "rollback", detail, note: request.note ?? `rollback to version ${to.n}` };
    const { seq, arranged } = finish(this.#apply(plan, { entry, cause, dryRun: request.dryRun ?? false }));
    const done = arranged.find((one) => one.memory === uid);
    const answer = { kind: "memory", memoryId: request.memoryId, to: versionInfo(to), seq } as const;
    if (done === undefined) return { ...answer, action: "none", path: toBytes(memory.path), from: null, version: null };
    const { action, path, from, version } = this.#reverted(done, to);
    return { ...answer, action, path, from, version };
  }

  /** Whether there is a directory at the path (absolute) now. */
  isDirectory(path: Buffer): boolean {
    return isDirectory(nodeAt(this.#state, fromBytes(path))?.mode ?? 0);
  }

  /**
   * Makes a directory and all that is below it, or the whole store, what it was: memories made since are deleted, deleted
   * ones return under their ids, moved ones go back. Scratch stays.
   * @throws MemfsError `not_found` for a moment or a directory that was not, `exists` when scratch, or what is outside of
   * the directory, is in the way, `busy`, `archived`, `no_space`
   */
  async rollbackTree(request: TreeRollbackRequest, cause: Cause): Promise<Reversed> {
    await this.#options.settling.recordAllInTurns();
    const seq = this.#options.past.seqOf(request.to);
    if (seq === null)
      throw new MemfsError("not_found", "the store did not exist at that moment, or the moment is still to come");
    const path = normalPath(fromBytes(request.path));
    const view = this.#options.past.at(seq);
    const top = await view.find(path);
    if (top === null || !isDirectory(top.mode))
      throw new MemfsError("not_found", `${printable(path)} was no directory then; see: memfs log`);
    const past = await readPastTree(view, top, path);
    const detail = { path: printable(path === ROOT_PATH ? "/" : path), to: seq };
    const entry: Entry = { kind: "rollback", detail, note: request.note ?? `rollback to #${seq}` };
    const release = this.#state.listings.hold();
    try {
      const plan = (): Promise<Plan> => this.#planTree({ past, seq }, { path, node: top.node });
      const { seq: made, arranged } = await this.#carryOut(plan, { entry, cause, dryRun: request.dryRun ?? false });
      return await this.#reversed(made, arranged, (memory) => past.files.get(memory)?.version ?? null);
    } finally {
      release();
    }
  }

  /**
   * Takes back all that a session, an agent in a span of time, or a transaction did, by the line and by the key; what
   * others did stays, and what they built on it is listed instead of undone.
   * @throws MemfsError `not_found` for who or what is not in the journal, `busy`, `archived`, `no_space`
   */
  async undo(request: UndoRequest, cause: Cause): Promise<Reversed> {
    await this.#options.settling.recordAllInTurns();
    const turns = new Turns();
    const selection = await UndoSelection.read(this.#state, request.of, turns);
    const note = request.note ?? `undo of ${selection.label}`;
    const entry: Entry = { kind: "undo", detail: { of: selection.of }, note };
    const release = this.#state.listings.hold();
    try {
      const planner = new UndoPlanner(this.#state, { selection, force: request.force ?? false, turns });
      const carrying = { entry, cause, dryRun: request.dryRun ?? false };
      const { plan, seq, arranged } = await this.#carryOut(() => this.#planUndo(planner), carrying);
      const done = await this.#reversed(seq, arranged, (memory) => plan.to.get(memory) ?? null);
      return { seq, changes: done.changes, kept: [...plan.kept, ...done.kept] };
    } finally {
      release();
    }
  }

  /** Plans until nothing is held back, and what moves has all below it in memory. */
  async #planUndo(planner: UndoPlanner): Promise<UndoPlan> {
    for (;;) {
      this.#options.settling.recordAll();
      const plan = await planner.plan();
      this.#options.settling.recordAll();
      const cold = plan.moved.filter((node) => !subtreeLoaded(this.#state, node));
      if (cold.length === 0 && this.#state.counters === plan.counters) return plan;
      for (const node of cold) await loadSubtree(this.#state, node);
    }
  }

  /** Plans in turns until the store stays the same for the time it takes, and when it does not, at once. */
  async #planTree(
    { past, seq }: Omit<TreeRollback, "scope">,
    top: { readonly path: string; readonly node: number },
  ): Promise<Plan> {
    const turns = new Turns();
    for (let attempt = 1; ; attempt++) {
      const scope = this.#scope(top);
      for (const directory of scope) await loadSubtree(this.#state, directory);
      this.#options.settling.recordAll();
      const { counters } = this.#state;
      const holds = (): boolean => this.#state.counters === counters;
      const planning = planTreeRollback(this.#state, { past, seq, scope });
      const arrangement = await turns.run(planning, { holds, patient: attempt < ATTEMPTS });
      if (arrangement !== null) return { arrangement, counters };
    }
  }

  /** The directory at the path now, and the one that was there then, wherever it is. */
  #scope({ path, node }: { readonly path: string; readonly node: number }): readonly number[] {
    if (path === ROOT_PATH) return [ROOT_NODE];
    const now = nodeAt(this.#state, path);
    const then = this.#state.node(node);
    const scope = new Set<number>();
    if (now !== null && isDirectory(now.mode)) scope.add(now.number);
    const isElsewhere = then !== undefined && then.names.length > 0 && then.number !== now?.number;
    if (isElsewhere && !this.#isBelow(then.number, now?.number)) scope.add(then.number);
    return [...scope];
  }

  #isBelow(number: number, above: number | undefined): boolean {
    for (let at: number | undefined = number; at !== undefined; at = this.#state.node(at)?.names[0]?.parent)
      if (at === above) return true;
    return false;
  }

  /** Plans and does it until nobody changes anything meanwhile. */
  async #carryOut<P extends Plan>(makePlan: () => Promise<P>, carrying: Carrying): Promise<Applied & { plan: P }> {
    const turns = new Turns();
    for (let attempt = 1; ; attempt++) {
      const plan = await makePlan();
      const holds = (): boolean => this.#state.counters === plan.counters;
      if (!holds()) continue;
      const applied = await turns.run(this.#apply(plan, carrying), { holds, patient: attempt < ATTEMPTS });
      if (applied !== null) return { plan, seq: applied.seq, arranged: applied.arranged };
    }
  }

  /** Runs a plan as one transaction, or, for a preview, drops that. Yields as long as the store must not change. */
  *#apply({ arrangement }: Plan, { entry, cause, dryRun }: Carrying): Steps<Applied> {
    if (this.#options.describe().info.archivedAt !== null)
      throw new MemfsError("archived", "the store is archived; it can be read and deleted, not changed");
    const tx = this.#options.begin(cause);
    let isDropped = true;
    try {
      const first = tx.nextSeq;
      const arranger = new Arranger(tx, entry.note);
      const arranged = yield* arranger.arrange(arrangement);
      if (dryRun) return { seq: null, arranged: arranged.map((one) => ({ ...one, version: null })) };
      if (tx.nextSeq === first) return { seq: null, arranged };
      const seq = tx.journal(entry.kind, {}, { detail: { ...entry.detail, first } });
      yield* arranger.recordPast();
      yield* tx.prepare();
      this.#options.commit(tx);
      isDropped = false;
      return { seq, arranged };
    } finally {
      if (isDropped) tx.drop();
    }
  }

  async #reversed(
    seq: number | null,
    arranged: readonly Arranged[],
    to: (memory: Uid) => VersionRecord | null,
  ): Promise<Reversed> {
    const turns = new Turns();
    const changes: Reverted[] = [];
    const kept: Kept[] = [];
    for (const one of arranged) {
      await turns.give();
      if (one.action !== "kept") changes.push(this.#reverted(one, one.memory === null ? null : to(one.memory)));
      else kept.push({ kind: one.kind, memoryId: null, path: toBytes(one.path), reason: "something else is in it" });
    }
    return { seq, changes, kept };
  }

  #reverted({ kind, action, memory, path, from, version }: Arranged, to: VersionRecord | null): Reverted {
    const made = version === null ? undefined : this.#state.versionAt(version);
    return {
      kind,
      action: action === "kept" ? "none" : action,
      memoryId: memory === null ? null : formatId("mem", memory),
      path: toBytes(path),
      from: from === null ? null : toBytes(from),
      to: to === null ? null : versionInfo(to),
      version: made === undefined ? null : versionInfo(made),
    };
  }
}

/** All steps at once. */
function finish<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** Without empty segments and a slash at the end: empty for the root. */
function normalPath(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "");
  return segments.map((segment) => `/${segment}`).join("");
}

/** @throws MemfsError `invalid_argument` */
function checkPath(path: string): string {
  const normal = normalPath(path);
  if (!path.startsWith("/") || normal === "" || normal === "/.memfs" || normal.startsWith("/.memfs/"))
    throw new MemfsError("invalid_argument", `${printable(path)} cannot be a memory's path; give one such as /f.md`);
  return normal;
}
