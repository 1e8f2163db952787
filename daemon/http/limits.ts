/** Limits of the transport. */

/** Bytes of a request body. Contents have at most 100 KiB, six times as many when every byte is escaped. */
export const REQUEST_BYTES = 1024 * 1024;
