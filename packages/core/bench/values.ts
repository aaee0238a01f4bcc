/** Figures for the warm path of a turn: `npx tsx bench/values.ts`. No test: it measures, it does not judge. */

import { z } from "zod";
import { applyDeltas } from "../src/model/delta.js";
import { copyJson, type Json, type JsonObject, parseJson } from "../src/model/json.js";
import { reconcile } from "../src/model/reconcile.js";
import { valuesSchema } from "../src/model/values-schema.js";

const Message = z.object({
  id: z.string(),
  role: z.enum(["user", "assistant", "tool"]),
  content: z.string(),
  meta: z.object({ model: z.string(), tokens: z.number(), tags: z.array(z.string()) }).optional(),
});
const schema = valuesSchema(z.object({ messages: z.array(Message).default([]), title: z.string().default("") }));

const message = (n: number, size = 400) => ({
  id: `message-${n}`,
  role: n % 2 === 0 ? "user" : "assistant",
  content: `${n} ${"lorem ipsum ".repeat(size / 12)}`,
  meta: { model: "gpt", tokens: n, tags: ["a", "b"] },
});

const state = (count: number) =>
  parseJson(
    JSON.stringify({ messages: Array.from({ length: count }, (_, n) => message(n)), title: "x" }),
    "b",
  ) as JsonObject;

/** The median of many rounds, in microseconds. */
function time(work: () => unknown, rounds: number): number {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint();
    work();
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return times.sort((a, b) => a - b)[rounds >> 1] as number;
}

function report(name: string, microseconds: number): void {
  console.log(`${name.padEnd(64)} ${microseconds.toFixed(2).padStart(10)} µs`);
}

type Turn = (old: readonly Json[]) => unknown[];
const turns: Record<string, Turn> = {
  "append 2": (old) => [...old, message(1e6), message(1e6 + 1)],
  "window: drop 2, append 2": (old) => [...old.slice(2), message(1e6), message(1e6 + 1)],
  "edit inside the last": (old) => [...old.slice(0, -1), { ...(old.at(-1) as JsonObject), content: "edited" }],
  "edit in the middle, append 1": (old) => [...old.with(old.length >> 1, message(1e6)), message(1e6 + 1)],
  "summary for the first half, append 1": (old) => [message(1e6), ...old.slice(old.length >> 1), message(1e6 + 1)],
};

for (const count of [2000, 10_000]) {
  const base = state(count);
  const baseBytes = JSON.stringify(base).length;
  console.log(`\n${count} messages, ${(baseBytes / 1e6).toFixed(2)} MB of JSON`);
  report(
    "JSON.stringify(state)",
    time(() => JSON.stringify(base), 50),
  );
  for (const [name, turn] of Object.entries(turns)) {
    const next = { messages: turn(base["messages"] as readonly Json[]) };
    const run = () => reconcile(base, next, { schema, baseBytes, maxBytes: 16 << 20 });
    report(`reconcile: ${name} (${JSON.stringify(run().delta).length} B delta)`, time(run, 500));
    report(
      "  the agent's own array copy",
      time(() => turn(base["messages"] as readonly Json[]), 500),
    );
  }
  const same = { messages: [...(base["messages"] as readonly Json[])] };
  report(
    "reconcile: same elements in a new array",
    time(() => reconcile(base, same, { schema, baseBytes }), 500),
  );
  const title = { title: "y", messages: base["messages"] };
  report(
    "reconcile: title alone",
    time(() => reconcile(base, title, { schema, baseBytes }), 5000),
  );
  const parsed = { messages: JSON.parse(JSON.stringify([...(base["messages"] as Json[]), message(1e6)])) as Json };
  report(
    "reconcile: identity false, append 1",
    time(() => reconcile(base, parsed, { schema, baseBytes, identity: false }), 30),
  );
}

console.log("\ncopyJson");
for (const size of [60, 840])
  report(
    `copy + freeze of ${JSON.stringify(message(1, size)).length} B`,
    time(() => {
      for (let n = 0; n < 1000; n++) copyJson(message(1, size), "v");
    }, 100) / 1000,
  );

console.log("\nrebuild of 10,000 messages from 5,000 deltas of 2");
const whole = JSON.stringify(state(10_000));
const texts = Array.from({ length: 5000 }, (_, turn) =>
  JSON.stringify([["~", ["messages"], turn * 2, 0, [message(turn * 2), message(turn * 2 + 1)]]]),
);
const empty = parseJson('{"messages":[],"title":"x"}', "b") as JsonObject;
const fresh = () => texts.map((text) => JSON.parse(text) as Json);
const applies: number[] = [];
for (let round = 0; round < 15; round++) {
  const deltas = fresh();
  applies.push(time(() => applyDeltas(empty, deltas), 1));
}
report(
  `JSON.parse of the state (${(whole.length / 1e6).toFixed(2)} MB)`,
  time(() => JSON.parse(whole), 15),
);
report(
  "parseJson of the state (parse + freeze)",
  time(() => parseJson(whole, "b"), 15),
);
report("JSON.parse of the 5,000 delta texts", time(fresh, 15));
report("applyDeltas, freezing included", applies.sort((a, b) => a - b)[7] as number);
