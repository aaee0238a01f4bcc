import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root, toolPath } from "../lib/paths.mjs";

/** What each part of the core may import, written out once more: the rules build theirs from an order. */
const ALLOWED: Record<string, string[]> = {
  errors: [],
  model: ["errors"],
  ports: ["errors", "model"],
  runtime: ["errors", "model", "ports"],
  engine: ["errors", "model", "ports", "runtime"],
  index: ["errors", "model", "ports", "runtime", "engine", "adapters"],
  adapters: ["errors", "model", "ports"],
  storage: ["errors", "model", "ports"],
  testing: ["errors", "model", "ports", "runtime", "engine", "index", "adapters"],
};
const parts = Object.keys(ALLOWED);
const pairs = parts.flatMap((from) => parts.filter((to) => to !== from).map((to) => ({ from, to })));

const core = "packages/core/src";
let folder = "";
let violations: { from: string; to: string; rule: { name: string } }[] = [];

/** One made-up tree that holds every import to be judged, looked at by one call. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-layers-"));
  copyFileSync(join(root, ".dependency-cruiser.mjs"), join(folder, ".dependency-cruiser.mjs"));
  for (const part of parts) write(`${core}/${part}/target.ts`, "export const x = 1;");
  for (const { from, to } of pairs) write(`${core}/${from}/to-${to}.ts`, `import "../${to}/target.js";`);
  write(`${core}/model/egg.ts`, 'import type { Hen } from "./hen.js"; export interface Egg { from: Hen }');
  write(`${core}/model/hen.ts`, 'import type { Egg } from "./egg.js"; export interface Hen { from: Egg }');
  write(`${core}/helpers/lost.ts`, 'import "../errors/target.js";');
  write(`${core}/engine/typo.ts`, 'import "./nowhere.js";');
  write("packages/storage-sql/package.json", '{ "name": "@heddle/storage-sql", "exports": "./dist/index.js" }');
  write("packages/storage-sql/dist/index.js", "");
  write("packages/storage-sql/src/reach.ts", 'import "../../core/src/index/target.js";');
  write(`${core}/engine/up.ts`, 'import "@heddle/storage-sql";');
  link("packages/storage-sql", "packages/core/node_modules/@heddle/storage-sql");
  write("packages/storage-sqlite/src/down.ts", 'import "@heddle/storage-sql";');
  link("packages/storage-sql", "packages/storage-sqlite/node_modules/@heddle/storage-sql");
  write("packages/newcomer/src/a.ts", 'import "node:fs";');
  write("examples/hello/main.ts", 'import "../../packages/core/src/index/target.js";');
  violations = cruise();
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(pairs)("$from importing $to", ({ from, to }) => {
  const refused = rulesFor(`${core}/${from}/to-${to}.ts`).length > 0;
  expect(refused).toBe(!ALLOWED[from]?.includes(to));
});

test.each([
  ["a cycle of types", `${core}/model/egg.ts`, ["no-cycles"]],
  ["a folder that is no layer", `${core}/helpers/lost.ts`, ["known-core-layer"]],
  ["a file that does not exist", `${core}/engine/typo.ts`, ["resolvable"]],
  ["another package's sources", "packages/storage-sql/src/reach.ts", ["packages-by-name"]],
  ["a package above", `${core}/engine/up.ts`, ["package-core"]],
  ["a package below", "packages/storage-sqlite/src/down.ts", []],
  ["a package without a rule", "packages/newcomer/src/a.ts", ["known-package"]],
  ["sources from an example", "examples/hello/main.ts", ["packages-by-name"]],
])("%s", (_, file, rules) => {
  expect(rulesFor(file)).toEqual(rules);
});

function rulesFor(file: string): string[] {
  return violations.filter(({ from }) => from === file).map(({ rule }) => rule.name);
}

function write(file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  symlinkSync(join(folder, target), join(folder, path), "junction");
}

function cruise(): typeof violations {
  const args = ["--config", ".dependency-cruiser.mjs", "--output-type", "json", "packages/*/src", "examples"];
  const json = execFileSync(process.execPath, [toolPath("dependency-cruiser", "depcruise"), ...args], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(json).summary.violations;
}
