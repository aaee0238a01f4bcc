/** A question takes one answer, from however many processes people answer it at once. */

import { join } from "node:path";
import { createEngine, defineAgent } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import type { ResolverCommand, ResolverTold } from "./programs/resolvers.js";
import { startProgram } from "./support/program.js";
import { minutes, sized } from "./support/size.js";
import { countBy, printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const rounds = sized({ quick: 10, full: 200 });
/** 50 over 4 processes. */
const answerers = [13, 13, 12, 12];

const asker = defineAgent({
  name: "asker",
  run: async ({ interrupt }) => ({ output: await interrupt("go", "May I?") }),
});

test(
  `50 resolvers in ${answerers.length} processes, ${rounds} questions: one winner each`,
  async () => {
    const path = join(tempDir(), "runs.db");
    await using engine = createEngine({ storage: sqliteStorage(path), agents: [asker] });
    await engine.start();
    const programs = await Promise.all(
      answerers.map(async (count) => {
        const program = startProgram<ResolverTold, ResolverCommand>("resolvers", [path, String(count)]);
        await program.next("ready");
        return program;
      }),
    );
    const winners: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const run = await engine.runs.start(asker, null);
      await run.settled();
      const raced = programs.map((program) => program.next("raced", ({ runId }) => runId === run.id));
      for (const program of programs) program.send({ type: "race", runId: run.id, at: Date.now() + 20 });
      const told = await Promise.all(raced);
      const won = told.flatMap((one) => one.won);
      expect(won).toHaveLength(1);
      expect(
        countBy(
          told.flatMap((one) => one.refused),
          (code) => code,
        ),
      ).toEqual({ QUESTION_CLOSED: 49 });
      const winner = told.findIndex((one) => one.won.length > 0);
      winners.push(winner);
      expect(await (await engine.runs.get(won[0] ?? "")).result()).toBe(programs[winner]?.pid);
    }
    expect(await engine.runs.count({})).toBe(2 * rounds);
    const wins = countBy(winners, (index) => `won by process ${index + 1}`);
    printTable("one answer", [["questions", rounds], ["answers", rounds * 50], ...Object.entries(wins).sort()]);
  },
  10 * minutes,
);
