/** Looks for orphans while an engine is open, and at its start before anything else. */

import type { ExecutorHost } from "@heddle/core";
import type Docker from "dockerode";
import { reap } from "./ownership.js";

export class Reaper {
  readonly #docker: Docker;
  readonly #every: number;
  readonly #hosts = new Set<ExecutorHost>();
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
  }

  /** Never rejects: an engine that is away for a while has nothing to tell. */
  look(): Promise<void> {
    this.#looking ??= reap(this.#docker, this.#hosts)
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  #report(error: unknown): void {
    for (const host of this.#hosts) host.report(error, "looking for orphaned containers");
  }
}
