/** The engine keeps its promises under seeded faults, and a seed is enough to see again what happened. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkHistory, keep, makePlan, partsOf, shrink, simulate } from "@heddle/core/testing";
import { describe, expect, test } from "vitest";
import { findBug, plantedBugs } from "./simulation/self-test.js";

const isFull = (process.env.HEDDLE_TEST_SIZE ?? "quick") !== "quick";
const seeds = isFull ? 3_000 : 100;
const batch = 50;

describe("simulation", () => {
  test.each(Array.from({ length: seeds / batch }, (_, index) => index * batch + 1))(
    "every promise is kept, 50 seeds from %i",
    async (from) => {
      for (let seed = from; seed < from + batch; seed++) {
        const { violations } = await simulate(makePlan(seed));
        expect(violations, `npm run simulate -- --seed ${seed}`).toEqual([]);
      }
    },
  );

  test("the same seed goes the same way, 50 seeds twice", async () => {
    const hashes = async (): Promise<string[]> => {
      const found: string[] = [];
      for (let seed = 1; seed <= 50; seed++) found.push((await simulate(makePlan(seed))).hash);
      return found;
    };
    const first = await hashes();
    expect(await hashes()).toEqual(first);
    expect(new Set(first).size).toBe(50);
  });

  test("a history survives being kept as JSON, and its judgement with it", async () => {
    const { history, violations } = await simulate(makePlan(7));
    expect(checkHistory(JSON.parse(JSON.stringify(history)))).toEqual(violations);
  });

  test("the judge knows nothing of the engine's own code", () => {
    const rules = fileURLToPath(new URL("../src/testing/history/rules/", import.meta.url));
    const imports = readdirSync(rules).flatMap((file) => [
      ...readFileSync(rules + file, "utf8").matchAll(/from "(.*)"/g),
    ]);
    const strange = imports.map(([, from]) => from ?? "").filter((from) => !/^\.\/|^\.\.\/history\.js$/.test(from));
    expect(strange).toEqual([]);
  });

  test("a plan with all its parts is the whole plan", async () => {
    const plan = makePlan(12);
    expect((await simulate(keep(plan, partsOf(plan)))).hash).toBe((await simulate(plan)).hash);
  });

  test("without faults nothing goes wrong, and every fault of a plan can be left out", async () => {
    const plan = makePlan(3);
    const { history } = await simulate(
      keep(
        plan,
        partsOf(plan).filter((part) => !part.startsWith("f")),
      ),
    );
    expect(history.entries.filter((entry) => entry.type === "fault" && entry.kind !== "agent_crash")).toEqual([]);
  });
});

/** Where the simulation is to be quick: bugs of different kinds, each of which shows early. */
const early = [
  "the busy check is left out",
  "a settle forgets the terminal event",
  "a reservation is not given back",
  "a reader that joins skips an event",
];

describe("planted bugs", () => {
  const bugs = plantedBugs.filter(({ name }) => isFull || early.includes(name));

  test.each(bugs)("$name: found within 500 seeds", { timeout: 120_000 }, async (bug) => {
    expect(await findBug(bug, 500)).toBeDefined();
  });

  test("a failure is shrunk to the part that matters", { timeout: 60_000 }, async () => {
    const bug = plantedBugs.find(({ name }) => name === "a settle does not release the mutex");
    const options = bug?.database === undefined ? {} : { database: bug.database };
    const plan = makePlan((await findBug(bug ?? { name: "" }, 500))?.seed ?? 1);
    const failing = await simulate(plan, options);
    const { parts, result } = await shrink(failing, plan, options);
    expect(result.violations.map(({ rule }) => rule)).toContain(failing.violations[0]?.rule);
    expect(parts.length).toBeLessThan(partsOf(plan).length / 2);
    expect((await simulate(keep(plan, parts), options)).hash).toBe(result.hash);
  });
});

/** What went wrong before; each plan says it as long as the maker of plans stays as it is. */
test.each([
  [7666, "what an earlier run of the lineage took came behind what was handed over as the next one began"],
  [8504, "the same, with a deadline in between"],
])("seed %i keeps all promises: %s", async (seed) => {
  expect((await simulate(makePlan(seed))).violations).toEqual([]);
});
