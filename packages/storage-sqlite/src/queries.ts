import type { Queries, QueryBuilder } from "@heddle/storage-sql";
import { createQueries, createQueryBuilder, ListQueries } from "@heddle/storage-sql";
import { sqliteDialect } from "./sqlite-dialect.js";

export const queryBuilder: QueryBuilder = createQueryBuilder(sqliteDialect);
export const queries: Queries = createQueries(queryBuilder, sqliteDialect);
export const listQueries: ListQueries = new ListQueries(queryBuilder, sqliteDialect);
