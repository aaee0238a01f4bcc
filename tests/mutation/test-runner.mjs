/**
 * Runs Heddle's tests for Stryker, in one process in which everything stays loaded: a mutant costs what its tests cost.
 * Stryker's own runner for Vitest starts a thread for each mutant and loads all of it anew, which took four seconds a
 * mutant here. The tests are carried out by Vitest's own code; how files are loaded and which tests run is ours.
 */
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { INSTRUMENTER_CONSTANTS as names } from "@stryker-mutator/api/core";
import { declareClassPlugin, PluginKind } from "@stryker-mutator/api/plugin";
import {
  DryRunStatus,
  determineHitLimitReached,
  TestStatus,
  toMutantRunResult,
} from "@stryker-mutator/api/test-runner";
import { createViteServer } from "vitest/node";
import { chosenTests, isSlow } from "./chosen-tests.mjs";
import { stopLeftovers, watchTimers } from "./leftovers.mjs";
import { hung, unlessItHangs } from "./watchdog.mjs";

/**
 * @typedef {import("@stryker-mutator/api/test-runner").TestRunner} TestRunner
 * @typedef {import("@stryker-mutator/api/test-runner").TestResult} TestResult
 * @typedef {import("vitest").RunnerTestCase} Test
 *
 * Vite's module runner, as far as it is used here.
 * @typedef {object} Modules
 * @property {() => void} clearCache
 * @property {(file: string) => Promise<unknown>} import
 * @property {{ getModulesByFile(file: string): Iterable<object> | undefined, invalidateModule(it: object): void }} evaluatedModules
 */

/** From when on a test hangs, in ms. Those that are chosen take a tenth of it at most. */
const patience = 1_000;

process.env["HEDDLE_TEST_STORAGES"] = "memory";

/** What mutated code reads, as which mutant is active, and writes, as what was covered. @type {Record<string, any>} */
const shared = {};
Reflect.set(globalThis, names.NAMESPACE, shared);

/** Vitest's dependency, not ours: it must be the very copy that `vitest` itself uses. */
const { getFn, startTests } = await import(
  pathToFileURL(createRequire(createRequire(import.meta.url).resolve("vitest/package.json")).resolve("@vitest/runner"))
    .href
);

class LoadedTestRunner {
  #root = process.cwd();
  /** @type {Awaited<ReturnType<typeof createViteServer>> | undefined} */
  #server;
  /** How long a test took with nothing changed, in ms: quick ones come first. @type {Map<string, number>} */
  #durations = new Map();
  /** The file whose test noticed the mutant before. @type {string | undefined} */
  #lastFailed;

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    // Of a promise that a mutant leaves to nobody the tests' own expectations judge.
    process.on("unhandledRejection", () => {});
    watchTimers();
    this.#server = await createViteServer({
      configFile: false,
      root: this.#root,
      logLevel: "error",
      appType: "custom",
      server: { middlewareMode: true, watch: null, ws: false, hmr: false },
      optimizeDeps: { noDiscovery: true },
      oxc: { target: "node20" },
      resolve: { alias: sourceFor(this.#root) },
    });
  }

  async dispose() {
    await this.#server?.close();
  }

  /** @type {TestRunner["dryRun"]} */
  async dryRun() {
    const tests = await this.#run(chosenTests(this.#root), (id) => !isSlow(id), Number.POSITIVE_INFINITY);
    for (const { id, timeSpentMs } of tests) this.#durations.set(id, timeSpentMs);
    return { status: DryRunStatus.Complete, tests, mutantCoverage: shared[names.MUTATION_COVERAGE_OBJECT] };
  }

  /** @type {TestRunner["mutantRun"]} */
  async mutantRun({ activeMutant, testFilter, hitLimit, reloadEnvironment }) {
    if (reloadEnvironment) this.#modules.clearCache();
    Object.assign(shared, {
      [names.ACTIVE_MUTANT]: activeMutant.id,
      [names.HIT_COUNT]: 0,
      [names.HIT_LIMIT]: hitLimit,
    });
    const wanted = new Set(testFilter ?? this.#durations.keys());
    const tests = await this.#run(this.#filesOf(wanted), (id) => wanted.has(id), patience);
    shared[names.ACTIVE_MUTANT] = undefined;
    stopLeftovers();
    this.#lastFailed = tests.find(({ status }) => status === TestStatus.Failed)?.fileName ?? this.#lastFailed;
    return toMutantRunResult(
      determineHitLimitReached(shared[names.HIT_COUNT], hitLimit) ??
        timeoutOf(tests) ?? { status: DryRunStatus.Complete, tests },
    );
  }

  /** @returns {Modules} */
  get #modules() {
    const environment = this.#server?.environments.ssr;
    if (environment === undefined || !("runner" in environment)) throw new Error("the runner was not initialized");
    return /** @type {Modules} */ (environment.runner);
  }

  /** Files of tests, those of pure modules before those of engines, then the quickest first. @param {Set<string>} tests */
  #filesOf(tests) {
    /** @type {Map<string, number>} */
    const files = new Map();
    for (const id of tests) {
      const file = join(this.#root, id.slice(0, id.indexOf("#")));
      files.set(file, (files.get(file) ?? 0) + (this.#durations.get(id) ?? 0));
    }
    // Neighbours in the code are often noticed by the same tests.
    if (this.#lastFailed !== undefined && files.has(this.#lastFailed)) files.set(this.#lastFailed, -1);
    const isPure = (/** @type {string} */ file) => Number(file.startsWith(join(this.#root, "packages")));
    return [...files]
      .sort(([a, x], [b, y]) => Number(x >= 0) - Number(y >= 0) || isPure(b) - isPure(a) || x - y)
      .map(([file]) => file);
  }

  /** With a limit, up to the first failure. @param {string[]} files @param {(id: string) => boolean} isWanted @param {number} limit */
  async #run(files, isWanted, limit) {
    /** @type {TestResult[]} */
    const results = [];
    const isOver = () => Number.isFinite(limit) && results.some(({ status }) => status === TestStatus.Failed);
    const runner = this.#vitestRunner({
      run: (test) => unlessItHangs(getFn(test)(), limit),
      before: (test) => {
        const id = this.#idOf(test);
        if (isOver() || !isWanted(id)) test.mode = "skip";
        else shared[names.CURRENT_TEST_ID] = id;
      },
      after: (test) => {
        shared[names.CURRENT_TEST_ID] = undefined;
        results.push(resultOf(this.#idOf(test), test));
      },
    });
    for (const file of files) {
      const [{ result }] = await startTests([file], runner);
      if (result?.state === "fail" && result.errors) results.push(broken(file, result.errors));
      if (isOver()) break;
    }
    return results;
  }

  /** @param {Test} test */
  #idOf(test) {
    const path = [];
    for (let task = /** @type {any} */ (test); task !== undefined; task = task.suite) path.unshift(task.name);
    return `${relative(this.#root, test.file.filepath)}#${path.join(" ")}`;
  }

  /** @param {{ before(test: Test): void, run(test: Test): Promise<unknown>, after(test: Test): void }} steps */
  #vitestRunner({ before, run, after }) {
    return {
      pool: "threads",
      config: {
        root: this.#root,
        setupFiles: [],
        passWithNoTests: true,
        allowOnly: false,
        sequence: { shuffle: false, concurrent: false, seed: 0, hooks: "stack", setupFiles: "list" },
        maxConcurrency: 1,
        testTimeout: 60_000,
        hookTimeout: 2 * patience,
        retry: 0,
        includeTaskLocation: false,
        tags: [],
        strictTags: false,
      },
      /** Its describe() and test() calls must be made again. @param {string} file */
      importFile: (file) => {
        const modules = this.#modules;
        for (const module of modules.evaluatedModules.getModulesByFile(file) ?? [])
          modules.evaluatedModules.invalidateModule(module);
        return modules.import(file);
      },
      onBeforeRunTask: before,
      runTask: run,
      onAfterRunTask: after,
    };
  }
}

/** Tests import the core by name, which is its dist/. Mutants are in its source. @param {string} root */
function sourceFor(root) {
  const source = (/** @type {string} */ path) => join(root, "packages/core/src", path);
  return [
    { find: /^@heddle\/core$/, replacement: source("index.ts") },
    { find: /^@heddle\/core\/storage$/, replacement: source("storage.ts") },
    { find: /^@heddle\/core\/testing$/, replacement: source("testing/index.ts") },
  ];
}

/** @param {string} id @param {Test} test @returns {TestResult} */
function resultOf(id, { result, file }) {
  const common = {
    id,
    name: id.slice(id.indexOf("#") + 1),
    timeSpentMs: result?.duration ?? 0,
    fileName: file.filepath,
  };
  if (result?.state === "pass") return { ...common, status: TestStatus.Success };
  if (result?.state !== "fail") return { ...common, status: TestStatus.Skipped };
  return { ...common, status: TestStatus.Failed, failureMessage: result.errors?.[0]?.message ?? "it failed" };
}

/** A file that could not be loaded, or whose hooks failed. @returns {TestResult} @param {string} file @param {{message: string}[]} errors */
function broken(file, errors) {
  const failureMessage = errors[0]?.message ?? "it could not be loaded";
  return { id: file, name: file, timeSpentMs: 0, status: TestStatus.Failed, failureMessage };
}

/** @param {TestResult[]} tests @returns {import("@stryker-mutator/api/test-runner").TimeoutDryRunResult | undefined} */
function timeoutOf(tests) {
  const isTimeout = tests.some(
    (test) =>
      test.status === TestStatus.Failed &&
      (test.failureMessage === hung || test.failureMessage.startsWith("Hook timed out")),
  );
  return isTimeout ? { status: DryRunStatus.Timeout, reason: hung } : undefined;
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, "loaded", LoadedTestRunner)];
