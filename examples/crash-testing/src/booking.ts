/** The agent under test: it pays, waits for a day, asks the traveller, and confirms. What it pays with is handed in. */

import { defineAgent } from "@heddle/core";
import { z } from "zod";

/** A payment service that knows its customers repeat themselves: one key, one charge. */
export class Payments {
  calls = 0;
  readonly charged = new Set<string>();

  pay(key: string): string {
    this.calls++;
    this.charged.add(key);
    return `receipt for ${key}`;
  }
}

export function bookingAgent(payments: Payments) {
  return defineAgent({
    name: "booking",
    input: z.object({ trip: z.string() }),
    values: z.object({ receipt: z.string().optional() }),
    output: z.string(),
    async run({ input, step, emit, checkpoint, sleep, interrupt }) {
      const receipt = await step("pay", () => payments.pay(input.trip));
      await checkpoint({ receipt });
      await emit("trip_paid", { receipt }, { key: "paid" });
      await sleep(60_000);
      const seat = await interrupt("seat", "Window or aisle?", { schema: z.enum(["window", "aisle"]) });
      return { output: `${input.trip}, ${seat}` };
    },
  });
}
