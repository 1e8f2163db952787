/**
 * The one error class of memfs and the one table that says what each code means at every edge:
 * the errno an agent's tool sees, the HTTP status and error type a client sees, and the exit code of the CLI.
 */

/** What a code becomes at each edge. */
export interface ErrorMeaning {
  /** Name of the errno answered to the kernel. */
  readonly errno: string;
  /** HTTP status. */
  readonly status: number;
  /** `error.type` of the HTTP envelope. */
  readonly type: string;
  /** Exit code of the CLI (BSD sysexits where one fits). */
  readonly exit: number;
}

function meaning(errno: string, status: number, type: string, exit: number): ErrorMeaning {
  return Object.freeze({ errno, status, type, exit });
}

/** Every error code, and what it becomes at each edge. `docs/errors.md` is checked against this table. */
export const ERRORS = Object.freeze({
  // The request itself is wrong.
  invalid_argument: meaning("EINVAL", 400, "invalid_request_error", 64),
  invalid_data: meaning("EINVAL", 400, "invalid_request_error", 65),
  name_too_long: meaning("ENAMETOOLONG", 400, "invalid_request_error", 64),
  too_large: meaning("EFBIG", 413, "request_too_large", 65),

  // What is asked for is not there, or is something else.
  not_found: meaning("ENOENT", 404, "not_found_error", 66),
  ambiguous: meaning("EINVAL", 400, "invalid_request_error", 66),
  not_directory: meaning("ENOTDIR", 409, "memory_path_conflict_error", 73),
  is_directory: meaning("EISDIR", 409, "memory_path_conflict_error", 73),
  not_empty: meaning("ENOTEMPTY", 409, "conflict_error", 73),
  exists: meaning("EEXIST", 409, "memory_path_conflict_error", 73),
  cross_device: meaning("EXDEV", 409, "conflict_error", 73),
  too_many_links: meaning("EMLINK", 409, "conflict_error", 73),
  bad_handle: meaning("EBADF", 400, "invalid_request_error", 64),
  stale: meaning("ESTALE", 409, "conflict_error", 75),
  no_such_offset: meaning("ENXIO", 400, "invalid_request_error", 65),
  no_attribute: meaning("ENODATA", 404, "not_found_error", 66),
  buffer_too_small: meaning("ERANGE", 400, "invalid_request_error", 64),

  // It is not allowed.
  read_only: meaning("EROFS", 403, "permission_error", 77),
  archived: meaning("EROFS", 400, "invalid_request_error", 77),
  not_permitted: meaning("EPERM", 403, "permission_error", 77),
  access_denied: meaning("EACCES", 403, "permission_error", 77),
  unauthenticated: meaning("EACCES", 401, "authentication_error", 77),

  // A limit is reached.
  file_too_big: meaning("EFBIG", 400, "invalid_request_error", 65),
  quota_exceeded: meaning("EDQUOT", 400, "invalid_request_error", 73),
  no_space: meaning("ENOSPC", 500, "api_error", 74),

  // The state of something else is in the way.
  precondition_failed: meaning("ESTALE", 409, "memory_precondition_failed_error", 75),
  conflict: meaning("ESTALE", 409, "conflict_error", 75),
  busy: meaning("EBUSY", 409, "conflict_error", 75),
  interrupted: meaning("EINTR", 500, "api_error", 75),
  would_block: meaning("EAGAIN", 409, "conflict_error", 75),
  deadlock: meaning("EDEADLK", 409, "conflict_error", 75),
  no_locks: meaning("ENOLCK", 500, "api_error", 75),

  // What is stored is damaged, or cannot be opened.
  damaged: meaning("EIO", 500, "api_error", 74),
  io: meaning("EIO", 500, "api_error", 74),
  format_newer: meaning("EIO", 500, "api_error", 78),
  bad_key: meaning("EIO", 500, "api_error", 78),
  bad_config: meaning("EINVAL", 500, "api_error", 78),
  locked: meaning("EBUSY", 500, "api_error", 75),

  // Mounting.
  mountpoint_missing: meaning("ENOENT", 400, "invalid_request_error", 66),
  mountpoint_unusable: meaning("EINVAL", 400, "invalid_request_error", 73),
  mountpoint_busy: meaning("EBUSY", 409, "conflict_error", 75),
  fuse_unavailable: meaning("ENODEV", 500, "api_error", 69),

  // Between CLI and daemon.
  unreachable: meaning("ENOTCONN", 504, "timeout_error", 69),
  version_mismatch: meaning("EPROTO", 400, "invalid_request_error", 75),
  closed: meaning("EIO", 500, "api_error", 69),

  // The operation does not exist here.
  not_supported: meaning("EOPNOTSUPP", 400, "invalid_request_error", 64),
  not_implemented: meaning("ENOSYS", 404, "not_found_error", 64),

  // A bug: logged with operation and path where it happens.
  internal: meaning("EIO", 500, "api_error", 70),
});

/** A key of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** Facts about an error that a client may read, added to the HTTP envelope as they are. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean>>;

/** The error memfs throws. The message is one line: what is wrong; what to do. */
export class MemfsError extends Error {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; detail?: ErrorDetail } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MemfsError";
    this.code = code;
    this.detail = options.detail ?? {};
  }
}

/** What `error` becomes at each edge; anything that is not a {@link MemfsError} is `internal`. */
export function meaningOf(error: unknown): ErrorMeaning {
  return error instanceof MemfsError ? ERRORS[error.code] : ERRORS.internal;
}
