/** The agents that kill-anywhere keeps busy, and the seal by which every checkpoint can be told whole from torn. */

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { defineAgent } from "@heddle/core";
import { z } from "zod";

/** What a run was asked for: kept in the proof's journal, and checked against what became of it. */
export interface Order {
  readonly id: string;
  /** Attempts up to this one throw. */
  readonly failUntil: number;
  /** Attempts up to this one never end by themselves. */
  readonly hangUntil: number;
  readonly maxFailures: number;
  readonly maxCrashes: number;
}

const Order = z.object({
  id: z.string(),
  failUntil: z.number(),
  hangUntil: z.number(),
  maxFailures: z.number(),
  maxCrashes: z.number(),
});

const Draft = z.object({ id: z.string(), attempt: z.number(), step: z.number(), padding: z.string() });

const Ledger = z.object({
  turns: z.number().default(0),
  /** The orders whose runs succeeded, in order. */
  entries: z.array(z.string()).default([]),
  draft: Draft.nullable().default(null),
  seal: z.string().default(""),
});
export type Ledger = z.output<typeof Ledger>;

/** The ledger with a checksum over the rest of it. */
export function sealed(ledger: Omit<Ledger, "seal">): Ledger {
  return { ...ledger, seal: sealOf(ledger) };
}

export function sealOf({ turns, entries, draft }: Omit<Ledger, "seal">): string {
  return createHash("sha256")
    .update(JSON.stringify([turns, entries, draft]))
    .digest("hex")
    .slice(0, 16);
}

export interface Conditions {
  /** Is called in the middle of the agents' work. */
  duringAgent(): void;
  /** From now on nothing hangs. */
  calm: boolean;
}

export function answerTo(order: Order): string {
  return `done ${order.id}`;
}

export function agentsUnder(conditions: Conditions) {
  async function work(
    order: Order,
    attempt: number,
    signal: AbortSignal,
    step: (step: number) => Promise<void>,
  ): Promise<void> {
    for (let count = 1; count <= 3; count++) {
      await step(count);
      await sleep(8 * Math.random());
      conditions.duringAgent();
    }
    while (attempt <= order.hangUntil && !conditions.calm && !signal.aborted) await sleep(5);
    if (attempt <= order.failUntil) throw new Error(`attempt ${attempt} was told to fail`);
  }

  const clerk = defineAgent({
    name: "clerk",
    input: Order,
    values: Ledger,
    output: z.string(),
    async run({ input, values, attempt, signal, emit, delta, checkpoint }) {
      const { turns, entries } = values;
      await work(input, attempt, signal, async (step) => {
        delta("assistant_message", { text: `${input.id} ${step}` });
        await emit("step", { id: input.id, attempt, step });
        const draft = { id: input.id, attempt, step, padding: "x".repeat(200 * Math.random()) };
        await checkpoint(sealed({ turns, entries, draft }));
      });
      const ledger = sealed({ turns: turns + 1, entries: [...entries, input.id], draft: null });
      return { output: answerTo(input), values: ledger };
    },
  });

  const runner = defineAgent({
    name: "runner",
    input: Order,
    output: z.string(),
    async run({ input, attempt, signal, emit, delta }) {
      await work(input, attempt, signal, async (step) => {
        delta("tool_output", { toolCallId: input.id, output: step });
        await emit("step", { id: input.id, attempt, step });
      });
      return { output: answerTo(input) };
    },
  });

  return { clerk, runner };
}
