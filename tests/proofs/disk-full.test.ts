/** The disk fills while runs are working: starts get a typed refusal, and once there is room again nothing was lost. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DiskCommand, DiskTold } from "./programs/on-full-disk.js";
import { startProgram } from "./support/program.js";
import { minutes, seconds } from "./support/size.js";
import { printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";
import { within } from "./support/within.js";

test("a full disk refuses starts and loses nothing", { timeout: 2 * minutes }, async (context) => {
  if (process.platform !== "linux") return context.skip("a small disk of one's own is mounted with Linux's tools");
  const folder = join(tempDir(), "small");
  mkdirSync(folder);
  const program = startProgram<DiskTold, DiskCommand>("on-full-disk", [folder], ownMounts());
  const told = Promise.race([program.next("ready"), program.next("cannot_mount")]);
  const started = await told.catch((error: unknown) => ({ type: "ended", why: String(error) }) as const);
  if (started.type !== "ready") return context.skip(`no small disk can be mounted here: ${started.why}`);

  const full = program.next("full");
  program.send({ type: "work" });
  const { accepted, refusals, unsettled, readable } = await within(60 * seconds, full, "the disk did not fill");
  expect(Object.keys(refusals), "what refused starts got").toEqual(["STORAGE_FULL"]);
  expect(unsettled, "runs that were at work").toBe(accepted.length);
  expect(readable, "reads on a full disk").toBe(true);

  const recovered = program.next("recovered");
  program.send({ type: "recover" });
  const after = await within(60 * seconds, recovered, "runs did not end once there was room");
  await program.gone;
  printTable("full disk (8 MB tmpfs)", [
    ["runs at work when it filled", accepted.length],
    ["starts refused as STORAGE_FULL", refusals.STORAGE_FULL ?? 0],
    ["writes of the engine that were tried again", Object.values(after.reports).reduce((sum, count) => sum + count, 0)],
    ["all settled after it was freed, ms", after.ms],
    ["lost", after.lost.length],
  ]);
  expect(after.lost).toEqual([]);
  expect(after.statuses).toEqual({ succeeded: accepted.length });
  expect(after.attempts, "attempts: each run went on where it was").toBe(accepted.length);
  expect(after.newRun, "a run that started afterwards").toBe("succeeded");
  expect(after.turns, "turns that the threads count").toBe(9);
  expect(after.integrity).toBe("ok");
  expect(Object.keys(after.reports), "what the engine reported").toEqual(["STORAGE_FULL"]);
});

/** A mount namespace of the program's own; as a user who may not mount, inside a user namespace. */
function ownMounts(): readonly string[] {
  const isRoot = process.getuid?.() === 0;
  return ["unshare", "--mount", ...(isRoot ? [] : ["--user", "--map-root-user"])];
}
