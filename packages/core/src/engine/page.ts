/** Cursor paging: a cursor names the last row of a page by its sort value and id, so pages stay stable under writes. */

import { HeddleError } from "../errors.js";
import { shown } from "../model/shown.js";
import type { Core } from "./core.js";
import { oneOf } from "./start-run.js";

export interface PageOptions<SortKey extends string> {
  /** Items, at most 100. Default 50. */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  readonly sortBy?: SortKey;
  /** Default `desc`: newest first. */
  readonly order?: "asc" | "desc";
}

export interface PageOf<Item> {
  readonly items: readonly Item[];
  /** `undefined` on the last page. */
  readonly nextCursor: string | undefined;
}

export interface PageQuery<SortKey extends string> {
  readonly limit: number;
  readonly sortBy: SortKey;
  readonly order: "asc" | "desc";
  readonly after?: { readonly value: number; readonly id: string };
}

export function pageQuery<SortKey extends string>(
  core: Core,
  options: PageOptions<SortKey>,
  keys: readonly [SortKey, ...SortKey[]],
): PageQuery<SortKey> {
  const { page, maxPage } = core.settings.limits;
  const limit = checkLimit(options.limit, page, maxPage);
  const sortBy: SortKey = oneOf("sortBy", options.sortBy, keys) ?? keys[0];
  const order = oneOf("order", options.order, ["asc", "desc"]) ?? "desc";
  const query = { limit, sortBy, order };
  return options.cursor === undefined ? query : { ...query, after: readCursor(options.cursor, sortBy, order) };
}

export function checkLimit(limit: unknown, standard: number, most: number): number {
  if (limit === undefined) return standard;
  if (Number.isInteger(limit) && (limit as number) >= 1) return Math.min(limit as number, most);
  throw new HeddleError(
    "INVALID_ARGUMENT",
    `"limit" is ${shown(limit)}, but must be a whole number from 1 to ${most}.`,
    {
      details: { field: "limit", value: limit },
    },
  );
}

/** One row more than asked for tells whether there is a next page. */
export async function readPage<Row, Item, SortKey extends string>(
  query: PageQuery<SortKey>,
  read: (query: PageQuery<SortKey>) => Promise<readonly Row[]>,
  place: (row: Row) => { readonly value: number; readonly id: string },
  view: (row: Row) => Item,
): Promise<PageOf<Item>> {
  const rows = await read({ ...query, limit: query.limit + 1 });
  const items = rows.slice(0, query.limit);
  const last = items.at(-1);
  const more = rows.length > query.limit && last !== undefined;
  return { items: items.map(view), nextCursor: more ? writeCursor(place(last), query) : undefined };
}

function writeCursor(
  { value, id }: { readonly value: number; readonly id: string },
  { sortBy, order }: { readonly sortBy: string; readonly order: string },
): string {
  return Buffer.from(JSON.stringify([sortBy, order, value, id])).toString("base64url");
}

function readCursor(cursor: unknown, sortBy: string, order: string): { readonly value: number; readonly id: string } {
  try {
    const [by, direction, value, id] = JSON.parse(Buffer.from(String(cursor), "base64url").toString()) as unknown[];
    if (by === sortBy && direction === order && typeof value === "number" && typeof id === "string")
      return { value, id };
  } catch {
    // Falls through to the one answer for every cursor that is not ours.
  }
  throw new HeddleError("INVALID_ARGUMENT", '"cursor" is not a nextCursor of this listing (same sortBy and order).', {
    details: { field: "cursor" },
  });
}
