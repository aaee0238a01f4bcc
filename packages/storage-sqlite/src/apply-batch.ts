/** Intents to changes to rows, inside an open transaction and without giving up the turn of the event loop. */

import type { Changes, Intent, IntentResult } from "@heddle/core/storage";
import { applyIntents, splitBatch, UnitOfWork } from "@heddle/core/storage";
import { writesOf } from "@heddle/storage-sql";
import type { Connection } from "./connection.js";
import { queries } from "./queries.js";
import { SqliteRecordReader } from "./record-reader.js";
import { WriteConflict } from "./storage-errors.js";

/** Each group reads what the ones before it wrote. */
export function applyBatch(connection: Connection, intents: readonly Intent[], now: number): IntentResult[] {
  return splitBatch(intents).flatMap((group) => {
    const work = new UnitOfWork(new SqliteRecordReader(connection), now);
    const answers = applyIntents(work, group);
    const changes = work.changes();
    write(connection, changes);
    connection.cache.keep(changes);
    return answers;
  });
}

function write({ statements }: Connection, changes: Changes): void {
  for (const { statement, params, mustMatch } of writesOf(queries, changes)) {
    const written = statements.run(statement, params as never);
    if (mustMatch && written !== 1) throw new WriteConflict("a row changed between being read and being written");
  }
}
