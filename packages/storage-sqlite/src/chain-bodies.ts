/**
 * The bodies of a chain and nothing else. SQLite walks five thousand rows in 2 ms; what costs is to hand them to
 * JavaScript: as rows of six columns 9 ms, as one column without rows 3.
 */

import type { ChainBodies } from "@heddle/core/storage";
import type { Statements } from "./statements.js";

/** Stands for `since` itself in the column of bodies: it begins like neither a delta (`[`) nor a snapshot (`{`). */
const sinceMark = "=";

/** Up the tree, one row at a time, so in the order of the walk. */
const walk = `
  with recursive walk (id, encoding, parent_id, body) as (
    select id, encoding, parent_id, body from heddle_checkpoints where id = @id
    union all
    select link.id, link.encoding, link.parent_id, link.body
      from walk cross join heddle_checkpoints as link on link.id = walk.parent_id
      where walk.encoding <> 'snapshot' and walk.id is not @since
  )
  select case when id is @since then '${sinceMark}' else body end from walk`;

/** Of the newest link that changed anything: mostly the first. */
const valuesBytes = `
  with recursive walk (parent_id, values_bytes, encoding) as (
    select parent_id, values_bytes, encoding from heddle_checkpoints where id = @id
    union all
    select link.parent_id, link.values_bytes, link.encoding
      from walk cross join heddle_checkpoints as link on link.id = walk.parent_id
      where walk.encoding = 'same'
  )
  select values_bytes from walk where encoding <> 'same'`;

export function chainBodies(statements: Statements, id: string, since: string | undefined): ChainBodies | undefined {
  const column = statements.column(walk, { id, since: since ?? null }) as (string | null)[];
  if (column.length === 0) return undefined;
  const last = column.at(-1) ?? "";
  const isSnapshot = last.startsWith("{");
  if (isSnapshot || last === sinceMark) column.pop();
  const deltas = column.filter((body) => body !== null);
  const [size] = isSnapshot || deltas.length > 0 ? statements.column(valuesBytes, { id }) : [];
  return {
    snapshot: isSnapshot ? last : null,
    deltas,
    valuesBytes: (size as number | null | undefined) ?? null,
    continuesSince: last === sinceMark,
  };
}
