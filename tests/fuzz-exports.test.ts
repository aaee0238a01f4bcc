/**
 * Every function and class that a package exports, called with anything at all: it answers, or refuses with a typed
 * error. The exports are found by looking into the packages, so a new one is fuzzed from the day it exists; what cannot
 * be is named here, with the reason.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { memoryStorage } from "@heddle/core";
import type { TestEngine } from "@heddle/core/testing";
import { HistoryFile, RecordedProcess, readEntries } from "@heddle/core/testing";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { errorOf, requireTyped } from "./fuzzed-calls.js";
import { hostileArguments, hostileOptions } from "./hostile-values.js";
import { size } from "./size.js";

const packages = fileURLToPath(new URL("../packages/", import.meta.url));

/** Entries for authors of adapters: functions of what the ports hand over, which was checked on its way there. */
const inside = new Set(["@heddle/core/storage", "@heddle/storage-sql", "@heddle/executor-process/protocol"]);

const shorthand = "shorthand of the suites for intents, as typed and as unchecked as intents are";
const judged = "its argument is made by other functions of the same entry";

/** By name: why it is not called with anything at all. */
const notFuzzed: Readonly<Record<string, string>> = {
  serve: "takes the standard streams of its process and ends it",
  AttemptEnded: "a mark; it takes nothing",
  EngineError: "made of a frame of the engine; exported to be recognised",
  HeddleError: "what others throw; HeddleError.is is fuzzed",
  agentContext: "a port, for authors of executors",
  HistoryFile: "makes a file wherever it is told; its refusals are tested below",
  RecordedProcess: "makes a HistoryFile",
  acceptRun: shorthand,
  attemptOf: shorthand,
  cancelRun: shorthand,
  releaseRun: shorthand,
  setKey: shorthand,
  settleRun: shorthand,
  snapshot: shorthand,
  tendRun: shorthand,
  keep: judged,
  partsOf: judged,
  shrink: judged,
  sameResults: judged,
};

/** Where nonsense is to come further than the first check: options that are right, save for what is put over them. */
const right: Readonly<Record<string, () => object>> = {
  createEngine: () => ({ storage: memoryStorage() }),
  createTestEngine: () => ({}),
  defineAgent: () => ({ name: "right", run: () => {} }),
  dockerExecutor: () => ({ image: "right" }),
  processExecutor: () => ({ command: "right" }),
  sqliteStorage: () => ({ path: "right.db" }),
  postgresStorage: () => ({ connectionString: "postgres://right" }),
  migrationSql: () => ({}),
  manualClock: () => ({}),
  checkHistory: () => ({ entries: [], final: { runs: [], threads: [], logs: [], faults: [] } }),
  readFinalState: () => ({ storage: memoryStorage() }),
};

interface Entry {
  readonly specifier: string;
  readonly name: string;
  readonly call: (...given: unknown[]) => unknown;
}

async function entries(): Promise<Entry[]> {
  const found = readdirSync(packages).map(async (folder) => {
    const { name, exports = {} } = JSON.parse(readFileSync(join(packages, folder, "package.json"), "utf8")) as Manifest;
    return Promise.all(
      Object.entries(exports).map(([path, target]) =>
        entriesOf(join(name, path), join(packages, folder, target.default)),
      ),
    );
  });
  return (await Promise.all(found)).flat(2);
}

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, { readonly default: string }>>;
}

async function entriesOf(specifier: string, file: string): Promise<Entry[]> {
  const module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  return Object.entries(module).flatMap(([name, member]) => {
    if (typeof member !== "function") return [];
    const call = isClass(member)
      ? (...given: unknown[]) => void Reflect.construct(member, given)
      : (...given: unknown[]) => (member as Entry["call"])(...given);
    const own = Object.getOwnPropertyNames(member).filter((key) => isOwnFunction(member, key));
    const statics = own.map((key) => ({
      specifier,
      name: `${name}.${key}`,
      call: (...given: unknown[]) => (Reflect.get(member, key) as Entry["call"]).apply(member, given),
    }));
    return [{ specifier, name, call }, ...statics];
  });
}

function isOwnFunction(member: object, key: string): boolean {
  return key !== "prototype" && typeof Reflect.get(member, key) === "function";
}

function isClass(member: object): member is new (...given: unknown[]) => object {
  return /^class\b/.test(Function.prototype.toString.call(member));
}

/** A started engine works, whatever it was started with, and is closed. */
async function closed(made: unknown): Promise<void> {
  if (typeof made !== "object" || made === null || !("runUntilIdle" in made)) return;
  await using t = made as TestEngine;
  expect(await t.engine.runs.count()).toBe(0);
}

const all = await entries();
const fuzzed = all.filter(({ specifier, name }) => !inside.has(specifier) && !Object.hasOwn(notFuzzed, name));

describe("anything at all, for what packages export", () => {
  test("every exception is there", () => {
    const names = new Set(all.map(({ name }) => name));
    expect(Object.keys(notFuzzed).filter((name) => !names.has(name))).toEqual([]);
    const specifiers = new Set(all.map(({ specifier }) => specifier));
    expect([...inside].filter((specifier) => !specifiers.has(specifier))).toEqual([]);
  });

  test("a history's files are refused by name where they cannot be", () => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const path of [undefined, 7, "", folder, join(folder, "no", "such"), "\0"]) {
      expect(() => new HistoryFile(path as string)).toThrowError(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      const options = { folder, name: path as string };
      if (path !== folder && path !== join(folder, "no", "such")) {
        expect(() => new RecordedProcess(options)).toThrowError(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      }
    }
    expect(() => new RecordedProcess(undefined as never)).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    writeFileSync(join(folder, "a.jsonl"), "no json\n");
    expect(() => readEntries(folder)).toThrowError(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test.each(fuzzed)("$specifier: $name", { timeout: 120_000 }, async ({ name, call }) => {
    const property = fc.asyncProperty(hostileArguments, async (given) => {
      requireTyped(await errorOf(() => call(...given)), name, given);
    });
    await fc.assert(property, { numRuns: size(1_000, 10_000), endOnFailure: false });
  });

  const nearlyRight = Object.entries(right).map(([name, options]) => ({ name, options }));
  test.each(nearlyRight)(
    "$name, with options that are nearly right",
    { timeout: 120_000 },
    async ({ name, options }) => {
      const entry = fuzzed.find((each) => each.name === name);
      const property = fc.asyncProperty(hostileOptions, async (odd) => {
        const given = { ...options(), ...odd };
        const error = await errorOf(async () => closed(await entry?.call(given)));
        requireTyped(error, name, [odd]);
      });
      expect(entry).toBeDefined();
      await fc.assert(property, { numRuns: size(1_000, 10_000), endOnFailure: false });
    },
  );
});
