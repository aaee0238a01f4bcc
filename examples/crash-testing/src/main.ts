/**
 * A booking whose process dies: at every point of its life, once before and once after it. Each time the host does what a
 * host should: it asks again where it got no answer. Who is charged how often? Virtual time; nothing really dies.
 */

import { HeddleError } from "@heddle/core";
import { type CrashAt, crashPoints, createTestEngine, type TestEngine } from "@heddle/core/testing";
import { bookingAgent, Payments } from "./booking.js";

console.log("dies                 payment calls  charged  output");
for (const point of crashPoints) {
  await dieAt({ before: point }, `before ${point}`);
  await dieAt({ after: point }, `after ${point}`);
}

async function dieAt(place: CrashAt, name: string): Promise<void> {
  const payments = new Payments();
  const booking = bookingAgent(payments);
  await using t = await createTestEngine({ agents: [booking] });
  t.crashAt(place);

  // The key makes one run of a start that is repeated.
  const run = await again(t, () => t.engine.runs.start(booking, { trip: "Rome" }, { idempotencyKey: "trip-1" }));
  const deaths = await untilIdle(t);
  const last = await again(t, async () => (await t.engine.runs.get(run.id)).resume("window").catch(nextRun(t)));
  const died = deaths + (await untilIdle(t)) + run.deaths + last.deaths > 0;

  const output = await (await t.engine.runs.get(last.id)).result();
  const row = [name.padEnd(20), String(payments.calls).padStart(13), String(payments.charged.size).padStart(8)];
  console.log([...row, "", output, died ? "" : "(no booking comes there)"].join(" ").trimEnd());
}

/** Ask, and ask the next process where this one died. */
async function again(
  t: TestEngine,
  ask: () => Promise<{ readonly id: string }>,
): Promise<{ id: string; deaths: number }> {
  for (let deaths = 0; ; deaths++) {
    try {
      return { id: (await ask()).id, deaths };
    } catch (error) {
      if (!HeddleError.is(error, "ENGINE_CLOSED")) throw error;
      await t.restart();
    }
  }
}

/** The answer was stored before the process died: the run that it started is there already. */
function nextRun(t: TestEngine) {
  return async (error: unknown): Promise<{ readonly id: string }> => {
    if (!HeddleError.is(error, "QUESTION_NOT_FOUND")) throw error;
    const { items } = await t.engine.runs.list({ order: "desc", limit: 1 });
    return items[0] as { readonly id: string };
  };
}

/** Whoever dies meanwhile is replaced. Answers how many did. */
async function untilIdle(t: TestEngine): Promise<number> {
  for (let deaths = 0; ; deaths++) {
    await t.runUntilIdle();
    if (!t.crashed) return deaths;
    await t.restart();
  }
}
