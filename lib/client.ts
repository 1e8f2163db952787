/** The typed HTTP client of the daemon's unix socket. Light: the CLI loads it for every command. */

import { Agent, type IncomingMessage, request } from "node:http";
import {
  type AuditHead,
  type AuditReport,
  type Blame,
  type Capabilities,
  type Conflict,
  type DaemonStatus,
  type Diff,
  type Draft,
  type DraftRequest,
  type ErrorEnvelope,
  type List,
  type Memory,
  type MemoryPrefix,
  type MemoryRead,
  type MemoryStore,
  type MemoryVersion,
  type Mount,
  type MountRequest,
  type Policy,
  type ResolveRequest,
  type Session,
  VERSION_HEADER,
} from "./api.ts";
import type { Reversed, RollbackRequest, UndoRequest } from "./api/reversal.ts";
import { ERRORS, type ErrorCode, MemfsError } from "./errors.ts";
import { VERSION } from "./version.ts";

/** Query parameters; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What to compare: `from` and `to` are versions of a memory, or moments for a directory. */
export interface DiffQuery {
  readonly path: string;
  /** Default: the version before `to`, if that is given, else the one before the newest; a directory has none. */
  readonly from?: string | undefined;
  /** Default: the newest. */
  readonly to?: string | undefined;
  /** Of the other memory; default `path`. */
  readonly to_path?: string | undefined;
}

interface Exchange {
  readonly query?: Query;
  readonly body?: unknown;
  /** Milliseconds to wait for the answer; default for ever, since a store may be large. */
  readonly patience?: number;
}

/** Milliseconds after which a daemon that says nothing about itself counts as hung. */
const HUNG = 10_000;

/** Largest page there is; lists are followed to their end. */
const PAGE = 100;

/** Path of one store's routes. `store` is an id. */
function ofStore(store: string, rest = ""): string {
  return `/v1/memory_stores/${encodeURIComponent(store)}${rest}`;
}

/**
 * Every method throws what the daemon refused with, under the same code, and `unreachable` when none answers.
 */
export class Client {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Drops the connection, which would keep the process alive. */
  close(): void {
    this.#agent.destroy();
  }

  daemon(): Promise<DaemonStatus> {
    return this.#json("GET", "/v1/daemon", { patience: HUNG });
  }

  /** Asks the daemon to stop; it answers before it does. */
  stopDaemon(): Promise<DaemonStatus> {
    return this.#json("POST", "/v1/daemon/stop", { patience: HUNG });
  }

  capabilities(): Promise<Capabilities> {
    return this.#json("GET", "/v1/capabilities");
  }

  createStore(body: { name: string; description?: string; encrypt?: boolean }): Promise<MemoryStore> {
    return this.#json("POST", "/v1/memory_stores", { body });
  }

  stores(options: { archived: boolean }): Promise<MemoryStore[]> {
    return this.#all("/v1/memory_stores", { include_archived: options.archived }, Infinity);
  }

  /** `nameOrId`: a store's id, name or slug. */
  store(nameOrId: string): Promise<MemoryStore> {
    return this.#json("GET", ofStore(nameOrId));
  }

  updateStore(store: string, body: { name?: string; description?: string }): Promise<MemoryStore> {
    return this.#json("POST", ofStore(store), { body });
  }

  archiveStore(store: string): Promise<MemoryStore> {
    return this.#json("POST", ofStore(store, "/archive"));
  }

  deleteStore(store: string): Promise<{ id: string; type: "memory_store_deleted" }> {
    return this.#json("DELETE", ofStore(store));
  }

  policy(store: string): Promise<Policy> {
    return this.#json("GET", ofStore(store, "/policy"));
  }

  setPolicy(store: string, body: Partial<Policy>): Promise<Policy> {
    return this.#json("POST", ofStore(store, "/policy"), { body });
  }

  /** The direct children of a directory, whose path ends with `/`. */
  directory(store: string, path: string): Promise<(Memory | MemoryPrefix)[]> {
    return this.#all(ofStore(store, "/memories"), { path_prefix: path, depth: 1 }, Infinity);
  }

  /** As {@link directory}, at a moment: a time, `#SEQ`, or `memver_…`. In no particular order. */
  directoryAt(store: string, moment: string, path: string): Promise<(Memory | MemoryPrefix)[]> {
    const at = `/at/${encodeURIComponent(moment)}/memories`;
    return this.#all(ofStore(store, at), { path_prefix: path }, Infinity);
  }

  /** Newest first, at most `count`. */
  versions(store: string, query: Query, count = Infinity): Promise<MemoryVersion[]> {
    return this.#all(ofStore(store, "/memory_versions"), query, count);
  }

  /**
   * The version that `version` names of the memory that is or was at the path, by default its newest. In the full view,
   * which is the default, with its content.
   * @throws MemfsError `not_found`; `too_large` when its content is too large for JSON
   */
  async versionAt(
    store: string,
    path: string,
    version: string | null,
    view: "basic" | "full" = "full",
  ): Promise<MemoryVersion> {
    const query = { path, view, version: version ?? undefined };
    const [found] = await this.versions(store, query, 1);
    if (found !== undefined) return found;
    throw new MemfsError("not_found", `no memory is or was at ${path}; look with: memfs ls`);
  }

  /** The lines of the memory that is or was at the path, or of a version of it, and whose they are. */
  blame(store: string, path: string, version?: string): Promise<Blame> {
    return this.#json("GET", ofStore(store, "/blame"), { query: { path, version } });
  }

  /**
   * What differs: of a memory, between versions of it or of the one at `to_path`; of a directory, between moments.
   */
  diff(store: string, query: DiffQuery): Promise<Diff> {
    return this.#json("GET", ofStore(store, "/diff"), { query: { ...query } });
  }

  /** Bytes of the memory at an absolute path, or of a version of it. */
  async file(store: string, path: string, version?: string): Promise<Buffer> {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    const answer = await this.#exchange("GET", ofStore(store, `/files${encoded}`), { query: { version } });
    return answer.body;
  }

  rollback(store: string, body: RollbackRequest): Promise<Reversed> {
    return this.#json("POST", ofStore(store, "/rollback"), { body });
  }

  undo(store: string, body: UndoRequest): Promise<Reversed> {
    return this.#json("POST", ofStore(store, "/undo"), { body });
  }

  /** The sessions that did something in a store; who began last comes first. */
  sessions(store: string): Promise<Session[]> {
    return this.#all(ofStore(store, "/sessions"), {}, Infinity);
  }

  auditHead(store: string): Promise<AuditHead> {
    return this.#json("GET", ofStore(store, "/audit/head"));
  }

  /** Newest first. */
  reads(store: string, query: Query, count = Infinity): Promise<MemoryRead[]> {
    return this.#all(ofStore(store, "/audit/reads"), query, count);
  }

  verify(store: string, head?: string): Promise<AuditReport> {
    return this.#json("GET", ofStore(store, "/audit/verify"), { query: { head } });
  }

  conflicts(store: string): Promise<Conflict[]> {
    return this.#all(ofStore(store, "/conflicts"), {}, Infinity);
  }

  /** `beside`: id of the memory that holds the other text. */
  resolve(store: string, beside: string, body: ResolveRequest): Promise<Memory> {
    return this.#json("POST", ofStore(store, `/conflicts/${encodeURIComponent(beside)}/resolve`), { body });
  }

  drafts(): Promise<Draft[]> {
    return this.#all("/v1/drafts", {}, Infinity);
  }

  /** Puts a refused draft into a memory beside the file; returns that. */
  saveDraft(body: DraftRequest): Promise<Draft> {
    return this.#json("POST", "/v1/drafts/save", { body });
  }

  discardDraft(body: DraftRequest): Promise<Draft> {
    return this.#json("POST", "/v1/drafts/discard", { body });
  }

  mounts(): Promise<Mount[]> {
    return this.#all("/v1/mounts", {}, Infinity);
  }

  mount(body: MountRequest): Promise<Mount> {
    return this.#json("POST", "/v1/mounts", { body });
  }

  unmount(id: string, options: { force: boolean }): Promise<{ id: string; type: "mount_deleted" }> {
    return this.#json("DELETE", `/v1/mounts/${encodeURIComponent(id)}`, { query: { force: options.force } });
  }

  async #all<T>(path: string, query: Query, count: number): Promise<T[]> {
    const items: T[] = [];
    let page: string | undefined;
    while (items.length < count) {
      const limit = Math.min(PAGE, count - items.length);
      const list = await this.#json<List<T>>("GET", path, { query: { ...query, limit, page } });
      items.push(...list.data);
      if (list.next_page === null) break;
      page = list.next_page;
    }
    return items;
  }

  async #json<T>(method: string, path: string, exchange: Exchange = {}): Promise<T> {
    const { body } = await this.#exchange(method, path, exchange);
    // Same version on both ends (the handshake), so the daemon's schemas vouch for the shape.
    return JSON.parse(body.toString()) as T;
  }

  async #exchange(method: string, path: string, exchange: Exchange): Promise<{ body: Buffer }> {
    const response = await this.#send(method, path, exchange);
    const bytes = await collect(response);
    if (response.statusCode === 200) return { body: bytes };
    throw errorOf(response, bytes);
  }

  #send(method: string, path: string, { query = {}, body, patience }: Exchange): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string | number> = { [VERSION_HEADER]: VERSION, host: "localhost" };
    if (payload !== undefined) headers["content-type"] = "application/json";
    if (payload !== undefined || method === "POST") headers["content-length"] = Buffer.byteLength(payload ?? "");
    const place = { socketPath: this.#socketPath, agent: this.#agent, path: path + queryString(query) };
    return new Promise((resolve, reject) => {
      const sent = request({ ...place, method, headers }, resolve);
      sent.on("error", (error: NodeJS.ErrnoException) => reject(unreachable(error, method)));
      if (patience !== undefined)
        sent.setTimeout(patience, () => sent.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
      sent.end(payload);
    });
  }
}

function queryString(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    throw unreachable(error as NodeJS.ErrnoException);
  }
  return Buffer.concat(chunks);
}

/** `method`: of a request that got no answer at all; absent when one had begun. */
function unreachable(error: NodeJS.ErrnoException, method?: string): MemfsError {
  // A question that a stopping daemon took and never read has changed nothing, so it is as if none had been there.
  const lost = method === "GET" && ["ECONNRESET", "EPIPE"].includes(error.code ?? "");
  const absent = lost || ["ENOENT", "ENOTDIR", "ECONNREFUSED"].includes(error.code ?? "");
  if (error.code === "EACCES") {
    return new MemfsError("access_denied", "the daemon belongs to another user; run this as that user or as root");
  }
  if (error.code === "ETIMEDOUT") {
    const message = "the daemon does not answer; end the process named in daemon.lock of its home, then try again";
    return new MemfsError("unreachable", message, { cause: error });
  }
  const message = absent
    ? "no daemon is running; start it with: memfs daemon start"
    : `the daemon stopped while it was asked (${error.code ?? error.message}); look at its log, then try again`;
  return new MemfsError("unreachable", message, { cause: error, detail: { absent } });
}

/** The refusal as it was thrown in the daemon. */
function errorOf(response: IncomingMessage, bytes: Buffer): MemfsError {
  let envelope: Partial<ErrorEnvelope> = {};
  try {
    envelope = JSON.parse(bytes.toString()) as Partial<ErrorEnvelope>;
  } catch {
    // Not an answer of memfs; said below.
  }
  const error = envelope.error;
  if (typeof error?.message !== "string") {
    return new MemfsError(
      "unreachable",
      `the daemon answered ${response.statusCode ?? 0} without a reason; restart it`,
    );
  }
  const code: ErrorCode = Object.hasOwn(ERRORS, error.code) ? error.code : "internal";
  return new MemfsError(code, error.message);
}
