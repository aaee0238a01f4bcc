/**
 * The steady load: every kind of thing that users do, in turn, so that each stretch of time holds the same of each. What
 * is kept grows with every piece of work by the same amount; what is not kept must leave nothing behind.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "@heddle/core";
import { defineAgent, HeddleError } from "@heddle/core";
import { z } from "zod";

const echo = defineAgent({ name: "echo", run: ({ input }) => ({ output: input }) });
const chat = defineAgent({
  name: "chat",
  values: z.object({ lines: z.array(z.string()).default([]) }),
  run: ({ input, values }) => ({ output: values.lines.length, values: { lines: [...values.lines, String(input)] } }),
});
const talk = defineAgent({
  name: "talk",
  async run({ emit, delta }) {
    for (let n = 0; n < 5; n++) {
      for (let token = 0; token < 4; token++) delta("token", { n, token });
      await emit("progress", { n }, { key: `step-${n}` });
    }
    return {};
  },
});
const patient = defineAgent({
  name: "patient",
  run: ({ signal }) =>
    new Promise<object>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
});
const flaky = defineAgent({
  name: "flaky",
  retry: { maxFailures: 2, delay: 10, jitter: "none" },
  run({ attempt }) {
    if (attempt === 1) throw new Error("as planned");
    return {};
  },
});
const slow = defineAgent({
  name: "slow",
  async run() {
    await sleep(30);
    return {};
  },
});

export const agents = [echo, chat, talk, patient, flaky, slow];

/** Turns of a thread before it is deleted and another takes its place. */
const turnsEach = 40;
const threadsAtOnce = 20;

export class Load {
  readonly #engine: Engine;
  readonly #threads: string[] = [];
  readonly #turns: number[] = [];
  readonly #busy: boolean[] = [];
  #begun = 0;
  #ids = 0;
  readonly #errors = new Map<string, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Pieces of work that were begun. */
  get begun(): number {
    return this.#begun;
  }

  /** Whatever went wrong, and how often. */
  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  /** The next piece of work; never rejects. */
  async work(): Promise<void> {
    const kind = kinds[this.#begun % kinds.length] ?? "kept";
    this.#begun++;
    try {
      await this.#work(kind, this.#begun);
    } catch (error) {
      const what = `${kind}: ${error instanceof Error ? error.message.replaceAll(/"[^"]*"/g, "…") : String(error)}`;
      this.#errors.set(what, (this.#errors.get(what) ?? 0) + 1);
    }
  }

  async #work(kind: (typeof kinds)[number], n: number): Promise<unknown> {
    const { runs } = this.#engine;
    switch (kind) {
      case "kept":
        return (await runs.start(echo, { n })).result();
      case "deleted":
        return (await runs.start(echo, { n }, { onCompletion: "delete" })).settled().catch(unlessGone);
      case "turn":
        return this.#takeTurn(n % threadsAtOnce);
      case "read":
        for await (const _ of (await runs.start(talk, null)).events());
        return;
      case "left":
        return this.#readAndLeave();
      case "canceled":
        return (await runs.start(patient, null)).cancel({ wait: true });
      case "retried":
        return (await runs.start(flaky, null)).result();
      case "repeated": {
        const options = { idempotencyKey: `key-${n}` };
        const [first, second] = [await runs.start(echo, { n }, options), await runs.start(echo, { n }, options)];
        if (first.id !== second.id) throw new Error("a key gave two runs");
        return second.result();
      }
      case "delayed":
        return (await runs.start(echo, { n }, { delay: 50 })).result();
      case "unattended":
        return this.#waitAndLeave();
    }
  }

  /** One at a time per thread; whoever finds it busy takes a turn less. */
  async #takeTurn(place: number): Promise<void> {
    if (this.#busy[place] === true) return;
    this.#busy[place] = true;
    try {
      const { threads } = this.#engine;
      const id = this.#threads[place] ?? `soak-${++this.#ids}`;
      this.#threads[place] = id;
      const thread = await threads.getOrCreate(id);
      await (await thread.start(chat, "a line of 40 characters, more or less")).result();
      this.#turns[place] = (this.#turns[place] ?? 0) + 1;
      if (this.#turns[place] < turnsEach) return;
      await thread.delete();
      delete this.#threads[place];
      this.#turns[place] = 0;
    } finally {
      this.#busy[place] = false;
    }
  }

  async #readAndLeave(): Promise<void> {
    const run = await this.#engine.runs.start(talk, null);
    let seen = 0;
    for await (const _ of run.events()) if (++seen === 3) break;
    await run.result();
  }

  /** Somebody who waits goes away; the run goes on. */
  async #waitAndLeave(): Promise<void> {
    const run = await this.#engine.runs.start(slow, null);
    await run.result({ signal: AbortSignal.timeout(5) }).catch(() => {});
    await run.result();
  }
}

const kinds = [
  "kept",
  "deleted",
  "turn",
  "read",
  "left",
  "canceled",
  "retried",
  "repeated",
  "delayed",
  "unattended",
] as const;

function unlessGone(error: unknown): void {
  if (!HeddleError.is(error, "RUN_GONE")) throw error;
}
