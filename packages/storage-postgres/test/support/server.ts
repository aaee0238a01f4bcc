/** A PostgreSQL server for tests: the one that `HEDDLE_TEST_POSTGRES_URL` names, else one of the file's own. */

import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { EmbeddedPostgres } from "./embedded-postgres.js";

type Embedded = InstanceType<typeof EmbeddedPostgres>;

const superuser = "postgres";
const password = "test";

export const urlVariable = "HEDDLE_TEST_POSTGRES_URL";

export interface ServerOptions {
  readonly port?: number;
  /** Settings of the server: `-c name=value`. */
  readonly settings?: readonly string[];
  /** A server that may be stopped and started: never somebody else's. */
  readonly isOwn?: boolean;
}

export class TestServer {
  readonly #directory: string;
  readonly #postgres: Embedded | undefined;
  readonly port: number;
  #isRunning = true;
  readonly #url: string;

  private constructor(directory: string, port: number, url: string, postgres?: Embedded) {
    this.#directory = directory;
    this.port = port;
    this.#url = url;
    this.#postgres = postgres;
  }

  static async start({ settings = [], isOwn = false, ...options }: ServerOptions = {}): Promise<TestServer> {
    const given = process.env[urlVariable];
    if (given !== undefined && !isOwn) return TestServer.#join(given);
    const directory = await mkdtemp(join(tmpdir(), "heddle-postgres-"));
    const port = options.port ?? (await freePort());
    const postgres = new EmbeddedPostgres({
      databaseDir: join(directory, "data"),
      port,
      user: superuser,
      password,
      authMethod: "scram-sha-256",
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ["--no-sync", "--encoding=UTF8"],
      postgresFlags: [
        ...["-c", "fsync=off", "-c", "max_connections=200", "-c", "unix_socket_directories="],
        ...settings.flatMap((setting) => ["-c", setting]),
      ],
      onLog: () => {},
      onError: () => {},
    });
    if (process.getuid?.() === 0) await openTo(directory);
    await postgres.initialise();
    await postgres.start();
    return new TestServer(directory, port, TestServer.urlAt(port), postgres);
  }

  static urlAt(port: number): string {
    return `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;
  }

  /** It may be starting still. */
  static async #join(url: string): Promise<TestServer> {
    const server = new TestServer("", Number(new URL(url).port || 5432), url);
    for (let tries = 1; ; tries++) {
      try {
        await server.sql("select 1");
        return server;
      } catch (error) {
        if (tries === 300) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** @param as another role, a database */
  url({ user = "", password: secret = "", database = "" } = {}): string {
    const url = new URL(this.#url);
    if (user !== "") Object.assign(url, { username: user, password: secret });
    if (database !== "") url.pathname = `/${database}`;
    return url.href;
  }

  /** As when the power fails: no checkpoint, connections cut. */
  async crash(): Promise<void> {
    const file = join(this.#directory, "data", "postmaster.pid");
    if (!existsSync(file)) return;
    const pid = Number(readFileSync(file, "utf8").split("\n")[0]);
    this.#isRunning = false;
    process.kill(pid, "SIGQUIT");
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async start(): Promise<void> {
    await this.#postgres?.start();
    this.#isRunning = true;
  }

  async stop(): Promise<void> {
    if (this.#postgres === undefined) return;
    if (this.#isRunning) await this.#postgres.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Run statements as the superuser. */
  async sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.#url });
    // A connection that the server cuts while nothing is asked: the next query, if there is one, fails by itself.
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }
}

/** The file's server: there before its tests, gone after them. */
export function useServer(options?: ServerOptions): () => TestServer {
  let server: TestServer | undefined;
  beforeAll(async () => {
    server = await TestServer.start(options);
  });
  afterAll(() => server?.stop());
  return () => {
    if (server === undefined) throw new Error("the server is started before the tests");
    return server;
  };
}

/** A schema that nobody uses yet. */
export function freshSchema(): string {
  return `test_${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** The server runs as another user than root, and must get at its directory. */
async function openTo(directory: string): Promise<void> {
  const { chmod } = await import("node:fs/promises");
  await chmod(directory, 0o755);
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
