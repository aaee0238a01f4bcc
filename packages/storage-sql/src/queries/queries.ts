import type { SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";
import { checkpointQueries } from "./checkpoint-queries.js";
import { eventQueries } from "./event-queries.js";
import { familyQueries } from "./family-queries.js";
import { recordQueries } from "./record-queries.js";
import { removalQueries } from "./removal-queries.js";
import { usageQueries } from "./usage-queries.js";
import { workQueries } from "./work-queries.js";
import { writeQueries } from "./write-queries.js";

/** Every statement with a fixed text, compiled. Lists, whose text depends on their filter, are in `list-queries.ts`. */
export type Queries = ReturnType<typeof createQueries>;

export function createQueries(db: QueryBuilder, dialect: SqlDialect) {
  return {
    ...recordQueries(db),
    ...writeQueries(db),
    ...removalQueries(db, dialect),
    ...checkpointQueries(db),
    ...eventQueries(db),
    ...usageQueries(db),
    ...workQueries(db, dialect),
    ...familyQueries(db, dialect),
  };
}
