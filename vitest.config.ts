import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "packages/*/src/**/*.test.ts", // beside pure modules, importing them by relative path
      "packages/*/test/**/*.test.ts", // one file per promise, importing packages by name
      "tests/**/*.test.ts",
      "scripts/**/*.test.ts",
      "examples/*/{test,src}/**/*.test.ts",
    ],
    globalSetup: [
      "packages/storage-postgres/test/support/global-setup.ts",
      "packages/executor-docker/test/support/global-setup.ts",
    ],
    // A package imported by name is its dist/: let Node load it as it does for users, not through Vite's transform.
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
    // Tests of one file share nothing with those of another; a test that kills processes must not hit its neighbours.
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
