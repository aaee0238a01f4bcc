/** A container engine of the test's own, which may be stopped without harm to other tests. Needs root and `dockerd`. */

import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
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

  /** It ends its containers first. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** Its containers live on until it is back. */
  async crash(): Promise<void> {
    const helper = Number(readFileSync(join(this.#folder, "exec/containerd/containerd.pid"), "utf8"));
    await this.#end("SIGKILL");
    // It goes with its daemon, a moment later. A new daemon that still sees it would wait for it for ever.
    while (isAlive(helper)) await sleep(20);
    // The daemon would take itself for still running; an init system removes this too.
    rmSync(join(this.#folder, "pid"), { force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#daemon === undefined || this.#daemon.exitCode !== null || this.#daemon.signalCode !== null) return;
    const gone = once(this.#daemon, "exit");
    this.#daemon.kill(signal);
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
    // One that was killed left the guards of its containers, and its mounts, one on the other.
    spawnSync("pkill", ["-KILL", "-f", this.#folder]);
    while (spawnSync("umount", ["--recursive", "--lazy", join(this.#folder, "data")]).status === 0);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
