/** Several queries in one statement, which costs one round trip and counts as one query. */

import type { Template } from "@heddle/storage-sql";

export interface Composed<Params> {
  /** As given, their places counted on from one to the next. */
  readonly texts: readonly string[];
  bind(params: Params): unknown[];
}

/** @param firstPlace of the first text; what lies before it is the caller's to bind */
export function compose<Params>(templates: readonly Template<Params, unknown>[], firstPlace = 1): Composed<Params> {
  const texts: string[] = [];
  let before = firstPlace - 1;
  for (const { sql, places } of templates) {
    const offset = before;
    texts.push(sql.replace(/\$(\d+)/g, (_, place: string) => `$${Number(place) + offset}`));
    before += places;
  }
  return { texts, bind: (params) => templates.flatMap((template) => template.bind(params)) };
}
