/** Lists: pages with opaque cursors. */

import { Type } from "typebox";
import type { List } from "../../lib/api.ts";
import { MemfsError } from "../../lib/errors.ts";

/** Items a page holds at most, and with their contents. */
export const PAGE_SIZE = 100;
export const FULL_PAGE_SIZE = 20;

/** Query parameters of every list. */
export const listQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_SIZE })),
  page: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
};

/** Whether items come with their contents. */
export const viewQuery = { view: Type.Optional(Type.Union([Type.Literal("basic"), Type.Literal("full")])) };

/** Items of one page. With contents there are fewer, so that a page stays small. */
export function pageSize(query: { limit?: number; view?: "basic" | "full" }): number {
  const asked = query.limit ?? 20;
  return query.view === "full" ? Math.min(asked, FULL_PAGE_SIZE) : asked;
}

interface Dated {
  readonly id: string;
  readonly createdAt: number;
}

/**
 * One page of a list that is in memory, newest first. The cursor is the last item's place in the order, so that what
 * comes and goes in between neither repeats nor hides others.
 * @throws MemfsError `invalid_argument` for a cursor that is none
 */
export function pageOf<T extends Dated>(items: readonly T[], query: { limit?: number; page?: string }): List<T> {
  const sorted = [...items].sort(newestFirst);
  const after = query.page === undefined ? null : decodeCursor(query.page);
  const rest = after === null ? sorted : sorted.filter((item) => newestFirst(after, item) < 0);
  const data = rest.slice(0, pageSize(query));
  const last = data.at(-1);
  return { data, next_page: last === undefined || data.length === rest.length ? null : encodeCursor(last) };
}

function newestFirst(a: Dated, b: Dated): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

function encodeCursor({ createdAt, id }: Dated): string {
  return Buffer.from(`${createdAt} ${id}`).toString("base64url");
}

function decodeCursor(page: string): Dated {
  const [createdAt = "", id = ""] = Buffer.from(page, "base64url").toString().split(" ");
  if (!/^\d+$/.test(createdAt) || id === "") {
    throw new MemfsError("invalid_argument", "page is not a cursor of this list; use next_page of the page before");
  }
  return { createdAt: Number(createdAt), id };
}
