/** Invariant 1: at most one active run per thread, whoever tries to start one, from however many processes. */

import { join } from "node:path";
import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import type { Attempt, StarterCommand, StarterTold } from "./programs/starters.js";
import { inspect, inspectWithSql } from "./support/inspect.js";
import type { Program } from "./support/program.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, sized } from "./support/size.js";
import { countBy, median, printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const rounds = sized({ quick: 30, full: 1_000 });
const processes = 4;
const startersEach = 16;

type Starter = Program<StarterTold, StarterCommand>;

test(
  `${processes * startersEach} starters in ${processes} processes, ${rounds} rounds: one winner each`,
  async () => {
    const path = join(tempDir(), "runs.db");
    await using engine = createEngine({ storage: sqliteStorage(path) });
    await engine.start();
    const thread = await engine.threads.create();
    const starters = await startStarters(path, thread.id);

    const winners: number[] = [];
    const times: number[] = [];
    const progress = startProgress("one writer", rounds);
    for (let round = 1; round <= rounds; round++) {
      const startedAt = performance.now();
      const answers = await race(starters, round);
      times.push(performance.now() - startedAt);
      winners.push(await judge(answers));
      progress.at(round);
    }
    for (const starter of starters) await starter.kill();

    await engine.close();
    const { runs } = await inspect(path);
    inspectWithSql(path);
    expect(runs.size).toBe(rounds);
    expect(countBy(runs.values(), ({ status }) => status)).toEqual({ succeeded: rounds });
    const wins = countBy(winners, (index) => `process ${index + 1}`);
    printTable("one writer", [
      ["rounds", rounds],
      ["starts", rounds * processes * startersEach],
      ["winners in each round", 1],
      ["refused as THREAD_BUSY, naming the winner", rounds * (processes * startersEach - 1)],
      ["time of a round, median, ms", median(times)],
      ...Object.entries(wins)
        .sort()
        .map(([name, count]) => [`rounds won by ${name}`, count]),
    ]);
    expect(Object.keys(wins).length, "one process won all: that was no race").toBeGreaterThan(1);

    /** Exactly one won and every other was told so. Lets the winner finish. Returns the winner's process. */
    async function judge(answers: readonly (readonly Attempt[])[]): Promise<number> {
      const attempts = answers.flat();
      const won = attempts.flatMap((attempt) => ("won" in attempt ? [attempt.won] : []));
      expect(won, "winners").toHaveLength(1);
      const [winner = ""] = won;
      for (const attempt of attempts) {
        if ("won" in attempt) continue;
        expect(attempt).toMatchObject({ refused: "THREAD_BUSY", activeRunId: winner });
      }
      for (const starter of starters) starter.send({ type: "finish" });
      await (await engine.runs.get(winner)).settled();
      return answers.findIndex((some) => some.some((attempt) => "won" in attempt));
    }
  },
  10 * minutes,
);

async function startStarters(path: string, threadId: string): Promise<readonly Starter[]> {
  const starters = Array.from({ length: processes }, () =>
    startProgram<StarterTold, StarterCommand>("starters", [path, threadId, String(startersEach)]),
  );
  await Promise.all(starters.map((starter) => starter.next("ready")));
  return starters;
}

/** All are told the moment beforehand and wait for it awake, so they come at it together. */
function race(starters: readonly Starter[], round: number): Promise<readonly (readonly Attempt[])[]> {
  const answers = starters.map(async (starter) => {
    const told = await starter.next("raced", (message) => message.round === round);
    return told.attempts;
  });
  const at = Date.now() + 5;
  for (const starter of starters) starter.send({ type: "race", round, at });
  return Promise.all(answers);
}
