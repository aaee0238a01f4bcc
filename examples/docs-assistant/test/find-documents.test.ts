import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { documentsIn, installedDocuments } from "../src/library/find-documents.js";
import { fixtures } from "./library.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "docs-assistant-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, text = "# Title\n\nSome text.\n"): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

async function install(path: string, name: string, version = "1.0.0"): Promise<void> {
  await write(`${path}/package.json`, JSON.stringify({ name, version }));
  await write(`${path}/README.md`);
}

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await symlink(join(folder, target), join(folder, path));
}

async function pathsOf(found: Promise<readonly { readonly path: string }[]>): Promise<string[]> {
  return (await found).map(({ path }) => path);
}

describe("a folder", () => {
  it("gives its documents, without changelogs, licences and translations", async () => {
    expect(await pathsOf(documentsIn(join(fixtures, "kiln")))).toEqual(["kiln/README.md", "kiln/docs/clustering.md"]);
  });

  it("follows links, and each folder once", async () => {
    await write("book/guide/start.md");
    await write("elsewhere/more.md");
    await link("elsewhere", "book/linked");
    await link("book", "book/guide/round");
    expect(await pathsOf(documentsIn(join(folder, "book")))).toEqual(["book/guide/start.md", "book/linked/more.md"]);
  });

  it("leaves out hidden folders, tests and installed packages", async () => {
    for (const path of ["a.md", ".git/b.md", "test/c.md", "node_modules/d/README.md"]) await write(`book/${path}`);
    expect(await pathsOf(documentsIn(join(folder, "book")))).toEqual(["book/a.md"]);
  });
});

describe("the installed packages", () => {
  it("are found in npm's layout: flat, scoped and nested", async () => {
    await install("node_modules/flat", "flat");
    await install("node_modules/@scope/one", "@scope/one");
    await install("node_modules/flat/node_modules/nested", "nested");
    await write("node_modules/.bin/tool.md");
    expect(await pathsOf(installedDocuments(folder))).toEqual([
      "@scope/one/README.md",
      "flat/README.md",
      "nested/README.md",
    ]);
  });

  it("are found in pnpm's layout, those behind links once", async () => {
    await install("node_modules/.pnpm/kiln@1.0.0/node_modules/kiln", "kiln");
    await install("node_modules/.pnpm/clay@1.0.0/node_modules/clay", "clay");
    await link("node_modules/.pnpm/clay@1.0.0/node_modules/clay", "node_modules/.pnpm/kiln@1.0.0/node_modules/clay");
    await link("node_modules/.pnpm/kiln@1.0.0/node_modules/kiln", "node_modules/kiln");
    expect(await pathsOf(installedDocuments(folder))).toEqual(["clay/README.md", "kiln/README.md"]);
  });

  it("are looked for in the folders above as well", async () => {
    await install("node_modules/above", "above");
    expect(await pathsOf(installedDocuments(join(folder, "examples/mine")))).toEqual(["above/README.md"]);
  });

  it("are read in their newest version only", async () => {
    await install("node_modules/.pnpm/kiln@9.2.0/node_modules/kiln", "kiln", "9.2.0");
    await install("node_modules/.pnpm/kiln@10.1.0/node_modules/kiln", "kiln", "10.1.0");
    const [found, ...others] = await installedDocuments(folder);
    expect(found?.file).toContain("kiln@10.1.0");
    expect(others).toEqual([]);
  });

  it("are read from a node_modules folder that is named", async () => {
    await install("node_modules/flat", "flat");
    expect(await pathsOf(documentsIn(join(folder, "node_modules")))).toEqual(["flat/README.md"]);
  });
});
