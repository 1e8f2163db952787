/** A store's record in the catalogue. JSON behind a format byte: written rarely, and it grows with the API. */

import { formatId, type Uid } from "../../id.ts";
import { MemfsError } from "../../errors.ts";
import { DEFAULT_POLICY } from "../policy.ts";
import type { Policy, StoreInfo } from "../types.ts";

const FORMAT = 1;

export interface CatalogueRecord {
  readonly uid: Uid;
  /** The key range the store lives in; never used again. */
  readonly space: number;
  readonly info: StoreInfo;
  readonly policy: Policy;
}

export function encodeCatalogueRecord({ space, info, policy }: CatalogueRecord): Buffer {
  return Buffer.concat([Buffer.from([FORMAT]), Buffer.from(JSON.stringify({ space, info, policy }))]);
}

/** @throws MemfsError `format_newer`, `damaged` */
export function decodeCatalogueRecord(uid: Uid, bytes: Buffer): CatalogueRecord {
  if ((bytes[0] ?? 0) > FORMAT)
    throw new MemfsError("format_newer", "the catalogue was written by a newer memfs; update memfs");
  try {
    const { space, info, policy } = JSON.parse(bytes.toString("utf8", 1)) as Omit<CatalogueRecord, "uid">;
    return { uid, space, info: { ...info, id: formatId("memstore", uid) }, policy: { ...DEFAULT_POLICY, ...policy } };
  } catch (error) {
    throw new MemfsError("damaged", "a record of the catalogue cannot be read", { cause: error });
  }
}
