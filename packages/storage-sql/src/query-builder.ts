import { DummyDriver, Kysely } from "kysely";
import type { SqlDialect } from "./dialect.js";
import type { HeddleTables } from "./schema.js";

/** Builds and compiles queries; it can run none. */
export type QueryBuilder = Kysely<HeddleTables>;

export function createQueryBuilder(dialect: SqlDialect): QueryBuilder {
  return new Kysely<HeddleTables>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createQueryCompiler: () => dialect.createQueryCompiler(),
      createDriver: () => new DummyDriver(),
      createIntrospector: () => {
        throw new Error("this Kysely only compiles queries");
      },
    },
  });
}
