/** Looks at a refund, asks a person where the amount is large, pays. */

import { defineAgent } from "@heddle/core";
import { z } from "zod";

const Decision = z.object({ approve: z.boolean(), reason: z.string().optional() });

export const refunds = defineAgent({
  name: "refunds",
  input: z.object({ order: z.string(), amount: z.number() }),
  values: z.object({ paid: z.record(z.string(), z.number()).default({}) }),
  output: z.string(),
  async run({ input, values, step, interrupt }) {
    const { order, amount } = input;
    const history = await step("history", async () => {
      console.log(`  (looks up order ${order})`);
      return { refundsBefore: 0 };
    });
    if (amount > 100) {
      const { approve, reason } = await interrupt("approve", { order, amount, ...history }, { schema: Decision });
      if (!approve) return { output: `refused: ${reason ?? "no reason given"}` };
    }
    await step("pay", async () => console.log(`  (pays ${amount} for order ${order})`));
    return { output: `paid ${amount}`, values: { paid: { ...values.paid, [order]: amount } } };
  },
});
