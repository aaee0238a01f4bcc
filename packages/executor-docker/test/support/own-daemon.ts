/** A container engine of the test's own, which may be stopped without harm to other tests. Needs root and `dockerd`. */

import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Docker from "dockerode";

const limit = 60_000;

export const canHaveOwnDaemon =
  process.getuid?.() === 0 && spawnSync("unshare", ["--net", "dockerd", "--version"]).status === 0;

export class OwnDaemon implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-dockerd-"));
  readonly socketPath = join(this.#folder, "docker.sock");
  #daemon: ChildProcess | undefined;

  static async start(): Promise<OwnDaemon> {
    const daemon = new OwnDaemon();
    await daemon.start();
    return daemon;
  }

  async start(): Promise<void> {
    const options = {
      "--host": `unix://${this.socketPath}`,
      "--data-root": join(this.#folder, "data"),
      "--exec-root": join(this.#folder, "exec"),
      "--pidfile": join(this.#folder, "pid"),
      "--bridge": "none",
      "--iptables": "false",
    };
    const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    // In a network of its own: without a bridge it would remove the one of the machine's engine.
    this.#daemon = spawn("unshare", ["--net", "dockerd", ...args], { stdio: "ignore" });
    const docker = new Docker({ socketPath: this.socketPath });
    for (const end = Date.now() + limit; Date.now() < end; await sleep(100)) {
      if (await docker.ping().then(Boolean, () => false)) return;
    }
    throw new Error("dockerd does not answer");
  }

  async stop(): Promise<void> {
    if (this.#daemon === undefined || this.#daemon.exitCode !== null) return;
    const gone = once(this.#daemon, "exit");
    this.#daemon.kill("SIGTERM");
    await gone;
  }

  /** An image of the machine's engine. */
  load(image: string): void {
    const command = `docker save "${image}" | docker -H "unix://${this.socketPath}" load`;
    const { status, stderr } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
