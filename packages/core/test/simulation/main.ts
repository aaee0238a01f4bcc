/** `npm run simulate`: see {@link usage}. */

import { parseArgs } from "node:util";
import type { Parts, SimulationResult } from "@heddle/core/testing";
import { keep, makePlan, shrink, simulate, Tally } from "@heddle/core/testing";
import { readOptions } from "../../../../scripts/lib/read-options.mjs";
import type { PlantedBug } from "./planted-bug.js";
import { startBar } from "./progress-bar.js";
import { findBug, plantedBugs } from "./self-test.js";

const usage = `npm run simulate -- [options]

  --seeds N       how many seeds (default 1000)
  --from N        the first seed (default 1)
  --seed N        one seed, with all that happened
  --keep a,b,…    of that seed only these parts: the command that a failure prints
  --self-test     plant bugs, one after the other, and see that each is found within 500 seeds
  --bugs TEXT     only those planted bugs that have the text in their names`;

/** Every planted bug is found within so many. */
const selfTestSeeds = 500;

function parseOptions() {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      keep: { type: "string" },
      "self-test": { type: "boolean", default: false },
      bugs: { type: "string", default: "" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    isSelfTest: values["self-test"],
    bugs: values.bugs,
    seed: values.seed === undefined ? undefined : whole("seed", values.seed),
    keep: values.keep?.split(","),
    from: whole("from", values.from),
    seeds: whole("seeds", values.seeds),
  };
}

async function main(): Promise<boolean> {
  const { isSelfTest, bugs, seed, keep: parts, from, seeds } = readOptions(usage, parseOptions);
  if (isSelfTest) return selfTest(plantedBugs.filter(({ name }) => name.includes(bugs)));
  if (seed !== undefined) return replay(seed, parts);
  return simulateMany(from, seeds);
}

function whole(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0) return number;
  throw new Error(`--${name} is a whole number; it was "${text}"`);
}

async function simulateMany(from: number, seeds: number): Promise<boolean> {
  const bar = startBar(seeds);
  const tally = new Tally();
  const failed: SimulationResult[] = [];
  for (let seed = from; seed < from + seeds; seed++) {
    const result = await simulate(makePlan(seed));
    tally.add(result.history);
    if (result.violations.length > 0) failed.push(result);
    bar.step(failed.length === 0 ? "" : `${failed.length} failed`);
  }
  const rate = bar.stop();
  printTally(tally);
  for (const result of failed.slice(0, 5)) await printFailure(result);
  const verdict =
    failed.length === 0
      ? "all promises kept"
      : `${failed.length} failed: ${failed
          .map(({ plan }) => plan.seed)
          .slice(0, 20)
          .join(", ")}`;
  console.log(`\n${seeds} seeds from ${from}, ${rate} seeds/s: ${verdict}`);
  return failed.length === 0;
}

function printTally(tally: Tally): void {
  for (const { name, counts } of tally.groups) {
    console.log(`\n${name}`);
    for (const [what, count] of counts) console.log(`  ${String(count).padStart(9)}  ${what}`);
  }
}

async function printFailure(failing: SimulationResult): Promise<void> {
  const { seed } = failing.plan;
  console.log(`\nSeed ${seed} breaks a promise; shrinking …`);
  const { parts, result, tries } = await shrink(failing, failing.plan);
  for (const { rule, message } of result.violations.slice(0, 5)) console.log(`  ${rule}: ${message}`);
  console.log(`  shrunk to ${parts.length} parts in ${tries} tries. To replay it:`);
  console.log(`  npm run simulate -- --seed ${seed} --keep ${parts.length === 0 ? "nothing" : parts.join(",")}`);
}

async function replay(seed: number, parts: Parts | undefined): Promise<boolean> {
  const whole = makePlan(seed);
  const { history, violations, hash } = await simulate(parts === undefined ? whole : keep(whole, parts));
  for (const { time, ...entry } of history.entries) console.log(`${String(time).padStart(8)} ${JSON.stringify(entry)}`);
  for (const { rule, message } of violations) console.log(`\n${rule}: ${message}`);
  console.log(`\n${history.entries.length} entries, trace ${hash}, ${violations.length} breaches`);
  return violations.length === 0;
}

async function selfTest(bugs: readonly PlantedBug[]): Promise<boolean> {
  const bar = startBar(bugs.length);
  const rows: string[] = [];
  let missed = 0;
  for (const bug of bugs) {
    const found = await findBug(bug, selfTestSeeds);
    if (found === undefined) missed++;
    rows.push(
      `  ${bug.name.padEnd(60)} ${found === undefined ? "   - NOT FOUND" : `${String(found.seed).padStart(4)} ${found.rule}`}`,
    );
    bar.step(bug.name);
  }
  bar.stop();
  console.log(`  ${"planted bug".padEnd(60)} seed violated promise`);
  for (const row of rows) console.log(row);
  console.log(`\n${bugs.length - missed} of ${bugs.length} planted bugs found within ${selfTestSeeds} seeds`);
  return missed === 0;
}

process.exitCode = (await main()) ? 0 : 1;
