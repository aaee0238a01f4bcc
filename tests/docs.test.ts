/**
 * The code in README.md and docs/ is true: each page is one program, made of its ts blocks from top to bottom. All other
 * lines are left blank, so a line number in an error is the page's own. What a page says it prints (`// → …`) must be
 * what it prints, in that order.
 */

import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshSchema, useServer } from "../packages/storage-postgres/test/support/server.js";

const root = fileURLToPath(new URL("..", import.meta.url));
mkdirSync(join(root, ".work"), { recursive: true });
const folder = mkdtempSync(join(root, ".work/docs-"));
const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...docsPages()];
const programs = pages.filter((page) => blocksOf(page).trim() !== "");

const run = promisify(execFile);
const resolve = createRequire(import.meta.url).resolve;

function docsPages(): string[] {
  const files = readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md"));
  return files.sort().map((file) => `docs/${file}`);
}

/** The page with everything but its ts blocks blanked out. */
function blocksOf(page: string): string {
  let inside = false;
  const lines = readFileSync(join(root, page), "utf8").split("\n");
  return lines
    .map((line) => {
      if (line.startsWith("```")) {
        inside = line === "```ts";
        return "";
      }
      return inside ? line : "";
    })
    .join("\n");
}

function programOf(page: string): string {
  return join(folder, basename(page).replace(/\.md$/, ".ts"));
}

function promisedOutput(page: string): string[] {
  return [...blocksOf(page).matchAll(/\/\/ → (.*)$/gm)].map(([, text = ""]) => text.trim());
}

/** A page's `DATABASE_URL` is a database of its own. */
const server = useServer();
const database = freshSchema();

beforeAll(async () => {
  await server().sql(`create database ${database}`);
}, 60_000);
afterAll(() => server().sql(`drop database ${database} with (force)`));

/** What the compiler says of the pages. It leaves their programs behind. */
let complaints: string;

beforeAll(async () => {
  // What a page imports is what the tests may import.
  symlinkSync(join(root, "tests/node_modules"), join(folder, "node_modules"), "junction");
  for (const page of programs) writeFileSync(programOf(page), blocksOf(page));
  const config = {
    extends: "../../tsconfig.base.json",
    compilerOptions: { rootDir: ".", outDir: ".", declaration: false, inlineSourceMap: true, inlineSources: true },
    files: programs.map((page) => basename(programOf(page))),
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  complaints = (await attempt(process.execPath, [resolve("typescript/bin/tsc"), "-p", folder])).stdout;
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the code in the docs type-checks", () => {
  expect(complaints).toBe("");
});

describe("the code runs and prints what the page says", () => {
  test.each(programs)("%s", { timeout: 60_000 }, async (page) => {
    const cwd = mkdtempSync(join(tmpdir(), "heddle-docs-"));
    const program = programOf(page).replace(/ts$/, "js");
    const { stdout, stderr, failed } = await attempt(process.execPath, ["--enable-source-maps", program], cwd);
    expect(failed, `${page} failed:\n${stderr}\n${stdout}`).toBe(false);
    let rest = stdout.split("\n").map((line) => line.trim());
    for (const text of promisedOutput(page)) {
      const at = rest.indexOf(text);
      expect(at, `${page} does not print "${text}" where it says so. It prints:\n${stdout}`).toBeGreaterThanOrEqual(0);
      rest = rest.slice(at + 1);
    }
    rmSync(cwd, { recursive: true, force: true });
  });
});

/** On what the page's program has left behind. */
test("the SQL in docs/production.md runs on the real schema", async () => {
  const text = readFileSync(join(root, "docs/production.md"), "utf8");
  const queries = [...text.matchAll(/^```sql\n([^`]*)^```/gm)].map(([, sql = ""]) => sql);
  expect(queries.length).toBeGreaterThan(5);
  const client = new pg.Client({ connectionString: server().url({ database }) });
  await client.connect();
  for (const sql of queries) await client.query(sql).catch((error) => expect.fail(`${error}\n${sql}`));
  await client.end();
});

test("every link between the pages leads somewhere", () => {
  const broken = pages.flatMap((page) =>
    [...readFileSync(join(root, page), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, target = ""]) => join(root, page, "..", target))
      .filter((target) => !existsSync(target))
      .map((target) => `${page} → ${target}`),
  );
  expect(broken).toEqual([]);
});

async function attempt(program: string, args: readonly string[], cwd = root) {
  try {
    return {
      ...(await run(program, args, {
        cwd,
        timeout: 50_000,
        env: { ...process.env, DATABASE_URL: server().url({ database }) },
      })),
      failed: false,
    };
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    return { stdout, stderr: stderr || message, failed: true };
  }
}
