/** From an empty database to Heddle's schema, with rivals, with few rights, with strangers in the way. */

import type { HeddleErrorCode } from "@heddle/core";
import { HeddleError } from "@heddle/core";
import { manualClock, StorageDriver } from "@heddle/core/testing";
import { migrationSql, postgresStorage } from "@heddle/storage-postgres";
import { migrations } from "@heddle/storage-sql";
import { expect, test } from "vitest";
import { typeOf } from "../src/columns.js";
import { openStorage } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();
const newest = migrations.at(-1)?.version ?? 0;

async function refusal(code: HeddleErrorCode, options: Parameters<typeof postgresStorage>[0]): Promise<HeddleError> {
  const storage = postgresStorage(options);
  const error = await storage.open({ clock: manualClock() }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(HeddleError.is(error, code), String(error)).toBe(true);
  await storage.close();
  return error as HeddleError;
}

/** A role that owns nothing and may do nothing. */
async function createRole(): Promise<{ readonly user: string; readonly password: string }> {
  const user = freshSchema();
  await server().sql(`create role ${user} login password 'secret'`);
  return { user, password: "secret" };
}

test("eight rivals at once: each step is made once", async () => {
  const schema = freshSchema();
  await Promise.all(
    Array.from({ length: 8 }, () => openStorage({ connectionString: server().url(), schema, listen: false })),
  );
  const steps = await server().sql<{ version: number }>(
    `select version from ${schema}.heddle_migrations order by version`,
  );
  expect(steps.map(({ version }) => version)).toEqual(migrations.map(({ version }) => version));
});

test("two schemas of one database know nothing of each other", async () => {
  const [a, b] = await Promise.all(
    [freshSchema(), 'Odd "name"'].map(async (schema) => {
      return new StorageDriver(await openStorage({ connectionString: server().url(), schema }));
    }),
  );
  await a?.start({ threadId: "t" });
  expect(await b?.storage.runs.count({})).toBe(0);
  expect((await b?.start({ threadId: "t" }))?.active).toBe(true);
});

test("a newer schema is refused and left as it is", async () => {
  const schema = freshSchema();
  await openStorage({ connectionString: server().url(), schema });
  await server().sql(`insert into ${schema}.heddle_migrations values (${newest + 1}, 'from the future', 0)`);
  const error = await refusal("STORAGE_NEWER", { connectionString: server().url(), schema });
  expect(error.details).toEqual({ found: newest + 1, known: newest });
});

test("somebody else's tables are refused and left as they are", async () => {
  const schema = freshSchema();
  await server().sql(`create schema ${schema}`);
  await server().sql(`create table ${schema}.heddle_runs (mine text)`);
  await refusal("STORAGE_FOREIGN", { connectionString: server().url(), schema });
  await server().sql(`create table ${schema}.heddle_migrations (mine text)`);
  await refusal("STORAGE_FOREIGN", { connectionString: server().url(), schema });
  expect(await server().sql(`select * from ${schema}.heddle_runs`)).toEqual([]);
});

test("without the right to create anything it says so", async () => {
  const url = server().url(await createRole());
  const error = await refusal("STORAGE_READONLY", { connectionString: url, schema: freshSchema() });
  expect(error.message).toContain("migrationSql");
});

test("an engine needs no more rights than the printed script grants", async () => {
  const schema = freshSchema();
  const role = await createRole();
  await server().sql(migrationSql({ schema, role: role.user }));
  const driver = new StorageDriver(await openStorage({ connectionString: server().url(role), schema }));
  const run = await driver.start({ threadId: "t" });
  expect((await driver.settle(run)).status).toBe("succeeded");
  await driver.deleteThread("t");
  await driver.due({ purge: true });
});

test("a right that is missing is named", async () => {
  const schema = freshSchema();
  const role = await createRole();
  await server().sql(migrationSql({ schema, role: role.user }));
  await server().sql(`revoke insert on ${schema}.heddle_events from ${role.user}`);
  const error = await refusal("STORAGE_READONLY", { connectionString: server().url(role), schema });
  expect(error.message).toContain(`INSERT on "${schema}".heddle_events`);
});

/** What `pg_dump -s` would say, in short. */
async function shapeOf(schema: string): Promise<unknown> {
  const columns = await server().sql(
    "select table_name, column_name, data_type, collation_name, is_nullable from information_schema.columns " +
      "where table_schema = $1 order by table_name, ordinal_position",
    [schema],
  );
  const indexes = await server().sql(
    "select replace(indexdef, schemaname || '.', '') as index from pg_indexes where schemaname = $1 order by indexname",
    [schema],
  );
  return { columns, indexes };
}

test("the printed script makes the same schema as a start", async () => {
  const [printed, started] = [freshSchema(), freshSchema()];
  await server().sql(migrationSql({ schema: printed }));
  await openStorage({ connectionString: server().url(), schema: started });
  expect(await shapeOf(printed)).toEqual(await shapeOf(started));
  await openStorage({ connectionString: server().url(), schema: printed });
});

test("arrays are sent as what their columns are", async () => {
  const schema = freshSchema();
  await openStorage({ connectionString: server().url(), schema });
  const columns = await server().sql<{ name: string; type: string }>(
    "select column_name as name, data_type as type from information_schema.columns " +
      "where table_schema = $1 and table_name not in ('heddle_migrations', 'heddle_commits')",
    [schema],
  );
  expect(columns.map(({ name }) => [name, typeOf(name)])).toEqual(columns.map(({ name, type }) => [name, type]));
});
