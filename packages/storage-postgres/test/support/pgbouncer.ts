/**
 * PgBouncer before a test server, in transaction mode unless told otherwise: a session belongs to a client for one
 * transaction only.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type TestServer } from "./server.js";

/** Directories of system programs are not in everybody's path. */
const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` };

/** Where it is missing its tests are left out, and said to be; with HEDDLE_TEST_TOOLS=required, as in CI, they fail. */
export const hasPgBouncer = isInstalled() || process.env["HEDDLE_TEST_TOOLS"] === "required";

function isInstalled(): boolean {
  return spawnSync("pgbouncer", ["--version"], { env, stdio: "ignore" }).status === 0;
}

if (!hasPgBouncer) {
  console.warn("PostgreSQL behind PgBouncer is not tested: it is not installed (Debian: apt-get install pgbouncer)");
}

/** How many sessions it has at a server, at most. */
export const poolerSessions = 10;

export class PgBouncer {
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly port: number;

  private constructor(process: ChildProcess, directory: string, port: number) {
    this.#process = process;
    this.#directory = directory;
    this.port = port;
  }

  static async start(server: TestServer, mode: "transaction" | "session" = "transaction"): Promise<PgBouncer> {
    const directory = mkdtempSync(join(tmpdir(), "heddle-pgbouncer-"));
    chmodSync(directory, 0o755);
    const port = await freePort();
    const { username, password, hostname } = new URL(server.url());
    const file = join(directory, "pgbouncer.ini");
    writeFileSync(
      file,
      `[databases]
* = host=${hostname} port=${server.port} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${poolerSessions}
max_client_conn = 500
log_connections = 0
log_disconnections = 0
`,
    );
    // It refuses to run as root.
    const asUser = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
    const child = spawn("pgbouncer", [...asUser, file], { env, stdio: "ignore" });
    child.on("error", () => {});
    await listening(port);
    return new PgBouncer(child, directory, port);
  }

  /** The server's URL, by way of PgBouncer. */
  url(server: TestServer): string {
    const url = new URL(server.url());
    url.port = String(this.port);
    return url.href;
  }

  stop(): void {
    this.#process.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("pgbouncer did not start");
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
