/** Looks for orphans while an engine is open, and at its start before anything else. */

import type { ExecutorHost } from "@heddle/core";
import type Docker from "dockerode";
import type { Container } from "dockerode";
import { ask } from "./connection.js";
import { remove } from "./container-program.js";
import { reap } from "./ownership.js";

export class Reaper {
  readonly #docker: Docker;
  readonly #every: number;
  readonly #hosts = new Set<ExecutorHost>();
  /** Of this process; they could not be removed while the engine was away. */
  readonly #left = new Set<Container>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(docker: Docker, every: number) {
    this.#docker = docker;
    this.#every = every;
  }

  /** Names the engine in labels; none where an executor is used without one. */
  get engine(): string {
    const [host] = this.#hosts;
    return host?.worker ?? "none";
  }

  get isOpen(): boolean {
    return this.#hosts.size > 0;
  }

  open(host: ExecutorHost): void {
    this.#hosts.add(host);
    void this.look();
    this.#timer ??= setInterval(() => void this.look(), this.#every);
    this.#timer.unref();
  }

  async close(host: ExecutorHost): Promise<void> {
    this.#hosts.delete(host);
    if (this.isOpen) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#looking;
    if (this.#left.size > 0) await this.look();
  }

  removeLater(container: Container): void {
    this.#left.add(container);
  }

  /** Never rejects: an engine that is away for a while has nothing to tell. */
  look(): Promise<void> {
    this.#looking ??= this.#cleanUp()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #cleanUp(): Promise<void> {
    for (const container of this.#left) {
      await ask("remove a container", remove(container));
      this.#left.delete(container);
    }
    await reap(this.#docker, this.#hosts);
  }

  #report(error: unknown): void {
    for (const host of this.#hosts) host.report(error, "looking for orphaned containers");
  }
}
