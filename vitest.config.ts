import { availableParallelism } from "node:os";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const settings = {
  // A package imported by name is its dist/: let Node load it as it does for users, not through Vite's transform.
  server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
  pool: "forks",
  // Many wait for a server, a lease or other processes: on two cores one file at a time would leave them idle.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // Ends what hangs; on a machine that is busy with something else, a test takes several times as long.
  testTimeout: 60_000,
  hookTimeout: 120_000,
} satisfies TestProjectInlineConfiguration["test"];

/** Nothing but promises, by the million. */
const simulation = "packages/core/test/simulation.test.ts";

/** What bounds real time. In full size, where that is the worst of hundreds, nothing else runs beside it. */
const timed = [
  "tests/proofs/{kill-anywhere,stopped-worker,two-processes,thread-growth}.test.ts",
  "packages/executor-docker/test/reaping.test.ts",
  "packages/storage-sqlite/test/{busy,long-thread}.test.ts",
];
const isQuick = (process.env["HEDDLE_TEST_SIZE"] ?? "quick") === "quick";

/** Where nobody knows yet how long a file takes: those that take minutes go first, lest they run alone in the end. */
const longest = ["/proofs/chaos.", "/proofs/"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((part) => moduleId.includes(part));
      return found < 0 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...settings,
          name: "units",
          // Beside pure modules, importing them by relative path.
          include: ["packages/*/src/**/*.test.ts", "scripts/**/*.test.ts"],
          // To load what a file imports takes longer than its tests: files share a process.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...settings,
          name: "promises",
          // One file per promise, importing packages by name. All within one process.
          include: ["tests/*.test.ts", "packages/core/test/**/*.test.ts", "examples/*/{test,src}/**/*.test.ts"],
          exclude: [simulation],
          // Saves loading, but whoever used an AsyncLocalStorage makes each promise of the files after it dearer.
          isolate: !isQuick,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...settings,
          name: "processes",
          // With servers, containers and other processes. A test that kills some must not hit its neighbours.
          include: ["tests/proofs/**/*.test.ts", "packages/!(core)/test/**/*.test.ts", simulation],
          exclude: isQuick ? [] : timed,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...settings,
          name: "timed",
          include: isQuick ? [] : timed,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
    sequence: { sequencer: LongestFirst },
    globalSetup: [
      "packages/storage-postgres/test/support/global-setup.ts",
      "packages/executor-docker/test/support/global-setup.ts",
    ],
  },
});
