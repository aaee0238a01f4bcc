/**
 * Finds the Markdown to read: that of every installed package, or that of one folder.
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

export interface DocumentFile {
  /** The package it belongs to; for a plain folder, the folder's name. */
  readonly package: string;
  readonly file: string;
  /** How it is cited: `kysely/README.md`. */
  readonly path: string;
}

interface PackageFolder {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

const SKIPPED_FOLDERS = new Set(["node_modules", "test", "tests", "__tests__", "fixtures", "coverage"]);
const SOURCE_FILE = /\.(?:[cm]?[jt]sx?|map|json|node|wasm)$/iu;
const SKIPPED_FILES =
  /^(?:change(?:s|log)|history|releases?|licen[cs]e|copying|notice|third.?party|security|code.of.conduct|contribut|authors|maintainers|governance|pull_request|issue_template|readme[._-][a-z]{2}(?:[._-][a-z]{2,4})?\.md$)/iu;

/** Every Markdown file of one folder; of a `node_modules` folder, those of the packages installed in it. */
export async function documentsIn(folder: string): Promise<DocumentFile[]> {
  const root = resolve(folder);
  if (!(await isFolder(root))) throw new Error(`There is no folder ${root}.`);
  if (basename(root) === "node_modules") return documentsOfPackages(await packagesIn([root]));
  return markdownFiles(root, basename(root));
}

/** Every Markdown file of the packages that code in `folder` can import, and of those they import. */
export async function installedDocuments(folder: string): Promise<DocumentFile[]> {
  return documentsOfPackages(await packagesIn(nodeModulesAbove(folder)));
}

async function documentsOfPackages(packages: readonly PackageFolder[]): Promise<DocumentFile[]> {
  const perPackage = await Promise.all(packages.map(({ folder, name }) => markdownFiles(folder, name)));
  return perPackage.flat();
}

function nodeModulesAbove(folder: string): string[] {
  const above = dirname(folder);
  return [join(folder, "node_modules"), ...(above === folder ? [] : nodeModulesAbove(above))];
}

/** Where a package is installed in several versions, only its newest is read. */
async function packagesIn(nodeModules: readonly string[]): Promise<PackageFolder[]> {
  const newest = new Map<string, PackageFolder>();
  const seen = new Set<string>();
  for (const folder of nodeModules) {
    for await (const found of walkPackages(folder, seen)) {
      const known = newest.get(found.name);
      if (known === undefined || isNewer(found.version, known.version)) newest.set(found.name, found);
    }
  }
  return [...newest.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Follows links, and each real folder once; knows the flat layout of npm and the linked one of pnpm. */
async function* walkPackages(nodeModules: string, seen: Set<string>): AsyncGenerator<PackageFolder> {
  for (const entry of await entries(nodeModules)) {
    const path = join(nodeModules, entry);
    if (entry === ".pnpm" || entry.startsWith("@")) {
      for (const inner of await entries(path)) {
        if (entry === ".pnpm") yield* walkPackages(join(path, inner, "node_modules"), seen);
        else yield* packageAt(join(path, inner), seen);
      }
    } else if (!entry.startsWith(".")) {
      yield* packageAt(path, seen);
    }
  }
}

async function* packageAt(path: string, seen: Set<string>): AsyncGenerator<PackageFolder> {
  const folder = await realpath(path).catch(() => undefined);
  if (folder === undefined || seen.has(folder)) return;
  seen.add(folder);
  const manifest = await readManifest(folder);
  if (manifest !== undefined) yield { ...manifest, folder };
  yield* walkPackages(join(folder, "node_modules"), seen);
}

async function readManifest(folder: string): Promise<{ name: string; version: string } | undefined> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const { name, version } = manifest as { name?: unknown; version?: unknown };
    return typeof name === "string" ? { name, version: typeof version === "string" ? version : "0.0.0" } : undefined;
  } catch {
    return undefined;
  }
}

function isNewer(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) > 0;
}

/** Links are followed, each real folder is read once. */
async function markdownFiles(root: string, packageName: string): Promise<DocumentFile[]> {
  const found: DocumentFile[] = [];
  const seen = new Set<string>();
  const visit = async (folder: string, shown: string): Promise<void> => {
    const real = await realpath(folder);
    if (seen.has(real)) return;
    seen.add(real);
    for (const name of await entries(real)) {
      const file = join(real, name);
      const path = `${shown}/${name}`;
      if (isDocument(name)) found.push({ package: packageName, file, path });
      else if (!isSkipped(name) && (await isFolder(file))) await visit(file, path);
    }
  };
  await visit(root, packageName);
  return found;
}

function isSkipped(name: string): boolean {
  return name.startsWith(".") || SKIPPED_FOLDERS.has(name) || SOURCE_FILE.test(name);
}

function isDocument(name: string): boolean {
  return /\.(?:md|markdown)$/iu.test(name) && !SKIPPED_FILES.test(name);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function entries(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}
