export {
  changingQuestionColumns,
  changingRunColumns,
  checkpointColumns,
  checkpointHeadColumns,
  eventColumns,
  keyColumns,
  memoColumns,
  originColumns,
  questionColumns,
  runColumns,
  selection,
  threadColumns,
  tombstoneColumns,
} from "./columns.js";
export type { MetadataColumn, SqlDialect } from "./dialect.js";
export type { HostConnection, Scope } from "./host-transaction.js";
export { hostQueryBuilder, requireOpen, transactionClosed, transactionEnded } from "./host-transaction.js";
export { migrations } from "./migrations/index.js";
export type { Migration } from "./migrations/migration.js";
export type { PlannedStatement } from "./migrations/plan-migrations.js";
export {
  appliedVersions,
  migrationStatements,
  migrationsTable,
  missingMigrations,
} from "./migrations/plan-migrations.js";
export { checkpointChain } from "./queries/checkpoint-chain.js";
export type { ChainRow } from "./queries/checkpoint-queries.js";
export { dueWork } from "./queries/due-work.js";
export type { OrphanRow, WakeRow } from "./queries/family-queries.js";
export { ListQueries } from "./queries/list-queries.js";
export type { Queries } from "./queries/queries.js";
export { createQueries } from "./queries/queries.js";
export { toUsage } from "./queries/usage-queries.js";
export type { DueParams, DueRow, LeaseRow, PendingRow } from "./queries/work-queries.js";
export type { Write } from "./queries/writes-of.js";
export { removalsOf, writesOf } from "./queries/writes-of.js";
export type { QueryBuilder } from "./query-builder.js";
export { createQueryBuilder } from "./query-builder.js";
export type { RunRow, ThreadRow } from "./rows.js";
export { toEvent, toRun, toThread } from "./rows.js";
export type { HeddleTables } from "./schema.js";
export type { Template } from "./template.js";
