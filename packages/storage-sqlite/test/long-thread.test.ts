import { statSync } from "node:fs";
import { join } from "node:path";
import type { Intent } from "@heddle/core/storage";
import { describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { newRun } from "./support/intents.js";
import { openStorage } from "./support/storage.js";

const turns = 5_000;
const question = "q".repeat(300);
const answer = "a".repeat(640);
const messages = JSON.stringify([
  { role: "user", content: question },
  { role: "assistant", content: answer },
]);

describe("a thread of 5,000 turns of 1 KB", () => {
  test("its file is at most five times its live state, and its history is read in milliseconds", async () => {
    const path = join(testDirectory(), "agents.db");
    const storage = await openStorage({ path, synchronous: "normal" });
    for (let turn = 0; turn < turns; turn += 100) await storage.commit(turnsFrom(turn, 100));

    const head = (await storage.threads.get("thr_long"))?.headCheckpointId ?? "";
    const before = performance.now();
    const chain = await storage.checkpoints.chain(head);
    const elapsed = performance.now() - before;
    expect(chain?.links).toHaveLength(turns);
    // 15 ms on the machine it was written on.
    expect(elapsed).toBeLessThan(150);

    await storage.close();
    const live = turns * (messages.length - 2);
    expect(statSync(path).size / live).toBeLessThan(4);
  });
});

function turnsFrom(first: number, count: number): Intent[] {
  return Array.from({ length: count }, (_, index) => turn(first + index)).flat();
}

function turn(number: number): Intent[] {
  const suffix = `01JD5Q${String(number * 7919).padStart(20, "0")}`;
  const id = `run_${suffix}`;
  const claim = { worker: "wrk_01JD5Q00000000000000000000", lease: 15_000, agents: ["worker"] };
  const input = JSON.stringify({ message: question });
  const delta = JSON.stringify([["+", ["messages"], number * 2, JSON.parse(messages)]]);
  return [
    { ...newRun(id, { threadId: "thr_long", input }), claim },
    {
      kind: "settle_run",
      attempt: { runId: id, threadId: "thr_long", lineageId: id, attempt: 1 },
      outcome: { status: "succeeded", output: JSON.stringify({ reply: answer }) },
      events: [],
      checkpoint: {
        id: `chk_${suffix}`,
        encoding: number === 0 ? "snapshot" : "delta",
        body: number === 0 ? `{"messages":${messages}}` : delta,
        valuesBytes: (number + 1) * messages.length,
        changedKeys: ["messages"],
      },
      finalCheckpointId: `chk_unused_${suffix}`,
    },
  ];
}
