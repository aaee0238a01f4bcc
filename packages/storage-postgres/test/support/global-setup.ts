/**
 * One server for all test files of a vitest run; it starts while the first files that do not need it run already.
 * `HEDDLE_TEST_POSTGRES_URL` names one that is there instead: what the tests made in it is removed afterwards.
 */

import { freePort, TestServer, urlVariable } from "./server.js";

export default async function setUp(): Promise<() => Promise<void>> {
  if (process.env[urlVariable] !== undefined) return removeSchemas;
  const port = await freePort();
  const starting = TestServer.start({ isOwn: true, port });
  // A server that cannot start fails the tests that need it, not all.
  starting.catch((error: unknown) => console.error("PostgreSQL could not be started for the tests:", error));
  process.env[urlVariable] = TestServer.urlAt(port);
  return async () => {
    await (await starting.catch(() => undefined))?.stop();
  };
}

async function removeSchemas(): Promise<void> {
  const server = await TestServer.start();
  const schemas = await server.sql<{ name: string }>(
    "select nspname as name from pg_namespace where nspname like 'test\\_%'",
  );
  for (const { name } of schemas) await server.sql(`drop schema ${name} cascade`);
}
