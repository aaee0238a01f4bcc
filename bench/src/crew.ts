/** The processes that measure, one per system: none fills another's heap, and none is compiled for another's work. */

import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Cell } from "./cell.js";
import type { Answer, Order } from "./process.js";
import type { SystemSpec } from "./system.js";

const script = fileURLToPath(new URL("./process.ts", import.meta.url));

export class Crew implements AsyncDisposable {
  readonly #members = new Map<SystemSpec, Promise<ChildProcess>>();

  async measure(spec: SystemSpec, order: Order): Promise<Cell> {
    const started = this.#members.get(spec) ?? start(spec);
    this.#members.set(spec, started);
    const member = await started;
    const answer = answerOf(member);
    member.send(order);
    const given = (await answer) as Answer;
    if ("failure" in given) throw new Error(`${spec.name}, ${order.kind}: ${given.failure}`);
    return given.cell;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members.values()].map(end));
  }
}

async function start({ module, options, env }: SystemSpec): Promise<ChildProcess> {
  const member = fork(script, [module, JSON.stringify(options)], {
    env: { ...process.env, ...env },
    // What it prints is not ours to show on standard output, which is for figures.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await answerOf(member);
  return member;
}

function answerOf(member: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown) => settle(() => resolve(message));
    const onExit = (code: number | null, signal: string | null) =>
      settle(() => reject(new Error(`a measuring process ended with ${signal ?? code}`)));
    const settle = (how: () => void) => {
      member.off("message", onMessage).off("exit", onExit);
      how();
    };
    member.on("message", onMessage).on("exit", onExit);
  });
}

async function end(started: Promise<ChildProcess>): Promise<void> {
  const member = await started.catch(() => undefined);
  if (member === undefined || member.exitCode !== null || member.signalCode !== null) return;
  const ended = once(member, "exit");
  member.disconnect();
  await ended;
}
