/**
 * A message is sent to a run in the very moment in which that ends. Either the run takes it, or it runs by itself; each
 * message is seen by exactly one agent that settles with it.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { RunHandle, ThreadHandle } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import { checkInvariants } from "@heddle/core/testing";
import { expect, test } from "vitest";
import { onEveryStorage } from "../storages.js";
import { startProgress } from "./support/progress.js";
import { minutes, sized } from "./support/size.js";
import { printTable } from "./support/table.js";

const atOnce = 16;
/** Of the races each outcome must have at least this share: else they were no races. */
const leastShare = 0.05;
/** Turns of the event loop. */
const leastStep = 0.1;

type Outcome = "taken" | "ran by itself";

onEveryStorage("steer against finish", (kind) => {
  // Fewer would be over before they are even.
  const races = Math.max(300, Math.ceil(sized({ quick: 1_000, full: 10_000 }) * kind.fullShare));

  test(`${races} races`, { timeout: 20 * minutes }, async () => {
    /** By message: the runs whose agents saw it. */
    const seenBy = new Map<string, string[]>();
    const see = (message: string, runId: string): void => {
      seenBy.set(message, [...(seenBy.get(message) ?? []), runId]);
    };
    const racer = defineAgent({
      name: "racer",
      whenBusy: "steer",
      async run({ input, runId, takeSteered }) {
        const { message, turns } = input as { message: string; turns: number };
        see(message, runId);
        for (let turn = 0; turn < turns; turn++) await nextTurn();
        const messages = await takeSteered();
        for (const { input } of messages) see((input as { message: string }).message, runId);
        return { output: messages.length };
      },
    });
    const database = await kind.create();
    const engine = createEngine({ storage: database.storage, agents: [racer] });
    await engine.start();
    const counts: Record<Outcome, number> = { taken: 0, "ran by itself": 0 };
    const progress = startProgress(`steer against finish, ${kind.name}`, races);
    /** Turns that the message waits, on average; below 0: turns that the live run waits. Keeps the race even, whatever the machine is like. */
    let lead = 4;
    let step = leastStep;
    let last: Outcome | undefined;
    const even = (outcome: Outcome): void => {
      // The longer one side wins, the faster the other is helped; but those under way do not know of it yet.
      step = outcome === last ? Math.min(step * 1.5, 2 + Math.abs(lead) / atOnce) : leastStep;
      lead += outcome === "taken" ? step : -step;
      last = outcome;
    };
    let started = 0;
    let done = 0;

    const race = async (thread: ThreadHandle, round: number): Promise<Outcome> => {
      const turns = Math.round((8 + 2 * Math.max(0, -lead)) * Math.random());
      const live = await thread.start(racer, { message: `live ${round}`, turns });
      for (let turn = Math.round(Math.max(0, lead) * 2 * Math.random()); turn > 0; turn--) await nextTurn();
      const sent = await thread.start(racer, { message: `sent ${round}`, turns: 0 });
      const [outcome] = await Promise.all([sent.result(), live.result()]);
      return judge(live, sent, round, outcome);
    };
    const judge = async (live: RunHandle, sent: RunHandle, round: number, output: unknown): Promise<Outcome> => {
      const info = await sent.info();
      const isTaken = info.takenBy !== undefined;
      expect(seenBy.get(`sent ${round}`), "who saw it").toEqual([isTaken ? live.id : sent.id]);
      expect(seenBy.get(`live ${round}`)).toEqual([live.id]);
      expect([info.takenBy, output]).toEqual(isTaken ? [live.id, 1] : [undefined, 0]);
      expect(info.attempt).toBe(isTaken ? 0 : 1);
      seenBy.delete(`sent ${round}`);
      seenBy.delete(`live ${round}`);
      return isTaken ? "taken" : "ran by itself";
    };
    const lane = async (): Promise<void> => {
      const thread = await engine.threads.create();
      while (started < races) {
        const outcome = await race(thread, ++started);
        even(outcome);
        counts[outcome]++;
        progress.at(++done, `taken ${counts.taken}, by itself ${counts["ran by itself"]}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    if (races <= 1_000) await checkInvariants(database.storage);
    await engine.close();
    await database.cleanup();
    printTable(`steer against finish, ${kind.name}`, [["races", races], ...Object.entries(counts)]);
    for (const [outcome, count] of Object.entries(counts)) {
      expect(count / races, `share of ${outcome}`).toBeGreaterThanOrEqual(leastShare);
    }
  });
});
