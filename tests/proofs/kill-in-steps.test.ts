/** A SIGKILL at each point of a run of 20 steps: completed steps are never repeated, at most the one in flight is. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import { stepper, steps } from "./programs/twenty-steps.js";
import { startProgram } from "./support/program.js";
import { minutes, sized } from "./support/size.js";
import { countBy, printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const numbers = Array.from({ length: steps }, (_, index) => index + 1);
const killed = sized({ quick: [1, 10, 20], full: numbers });
const points = killed.flatMap((number) => [`in:${number}`, `after:${number}`]);

test(
  `${points.length} kills in a run of ${steps} steps`,
  async () => {
    const repeated: string[] = [];
    for (const point of points) {
      const folder = tempDir();
      const [path, log] = [join(folder, "runs.db"), join(folder, "log.txt")];
      const program = startProgram("twenty-steps", [path, log, point]);
      await program.gone;
      expect(program.ended).toBe("SIGKILL");
      const agent = stepper(log);
      await using engine = createEngine({ storage: sqliteStorage(path), agents: [agent] });
      await engine.start();
      const run = await engine.runs.start(agent, null, { idempotencyKey: "run" });
      expect(await run.result()).toEqual(numbers.map((number) => number * number));
      const done = countBy(readFileSync(log, "utf8").trim().split("\n"), (line) => line);
      const [where, number = ""] = point.split(":");
      const expected = Object.fromEntries(numbers.map((each) => [each, 1]));
      if (where === "in") {
        expect(done[number]).toBeLessThanOrEqual(2);
        repeated.push(...(done[number] === 2 ? [point] : []));
        expected[Number(number)] = done[number] ?? 0;
      }
      expect(done, point).toEqual(expected);
    }
    printTable("kills in steps", [
      ["kills", points.length],
      ["steps in flight done again", repeated.length],
      ["completed steps done again", 0],
    ]);
  },
  10 * minutes,
);
