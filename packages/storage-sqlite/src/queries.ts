import { createQueries, createQueryBuilder, ListQueries } from "@heddle/storage-sql";
import { sqliteDialect } from "./sqlite-dialect.js";

export const queryBuilder = createQueryBuilder(sqliteDialect);
export const queries = createQueries(queryBuilder, sqliteDialect);
export const listQueries = new ListQueries(queryBuilder, sqliteDialect);
