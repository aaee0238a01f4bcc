import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJson, root, workDir } from "./paths.mjs";
import { pnpm } from "./pnpm.mjs";
import { publicPackages } from "./workspace.mjs";

/** @typedef {import("./run-steps.mjs").Run} Run */

const tarballFolder = join(workDir, "tarballs");
const example = join(root, "examples/hello-run");
const ownPrograms = join(root, "tests/outside");

/** Packs every public package as it would be published. @param {Run} run */
export async function packAll(run) {
  rmSync(tarballFolder, { recursive: true, force: true });
  for (const { folder } of publicPackages()) {
    await run(...pnpm("pack", "--pack-destination", tarballFolder), { cwd: folder });
  }
}

/** @param {string} packageName @returns {string} the tarball that `packAll` made of it */
export function tarballOf(packageName) {
  const prefix = `${packageName.replace("@", "").replace("/", "-")}-`;
  const file = readdirSync(tarballFolder).find(
    (name) => name.startsWith(prefix) && /^\d/.test(name.slice(prefix.length)),
  );
  if (file === undefined) throw new Error(`no tarball of ${packageName} in ${tarballFolder}`);
  return join(tarballFolder, file);
}

/**
 * Makes a project like a user's, outside the workspace: examples/hello-run on the packed tarballs, the
 * programs of tests/outside, and a file that imports every entry of every package. Nothing is installed yet.
 * @returns {string} its folder
 */
export function createOutsideProject() {
  const folder = mkdtempSync(join(tmpdir(), "heddle-outside-"));
  for (const from of [join(example, "src"), ownPrograms]) cpSync(from, join(folder, "src"), { recursive: true });
  writeFileSync(join(folder, "src/every-export.ts"), everyExport());
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest(), undefined, 2));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig, undefined, 2));
  return folder;
}

const tsconfig = {
  compilerOptions: {
    target: "ES2022",
    lib: ["ES2023", "ESNext.Disposable"],
    types: ["node"],
    module: "NodeNext",
    strict: true,
    noEmit: true,
    // Errors in our declarations are what this looks for.
    skipLibCheck: false,
  },
  include: ["src"],
};

function manifest() {
  const ours = Object.fromEntries(publicPackages().map(({ name }) => [name, `file:${tarballOf(name)}`]));
  return {
    private: true,
    type: "module",
    dependencies: { ...ours, ...othersOf(example) },
    devDependencies: { "@types/node": installedVersion(root, "@types/node") },
    // Our packages depend on each other by version; none of those is to be looked up in a registry.
    overrides: ours,
    pnpm: { overrides: ours, onlyBuiltDependencies: ["better-sqlite3", "esbuild"] },
  };
}

/** What a workspace package depends on besides our own packages, at the versions that are installed. @param {string} folder */
function othersOf(folder) {
  const { dependencies, devDependencies } = readJson(join(folder, "package.json"));
  return Object.fromEntries(
    Object.keys({ ...dependencies, ...devDependencies })
      .filter((name) => !name.startsWith("@heddle/"))
      .map((name) => [name, installedVersion(folder, name)]),
  );
}

/** @param {string} folder @param {string} packageName */
function installedVersion(folder, packageName) {
  return readJson(join(folder, "node_modules", packageName, "package.json")).version;
}

function everyExport() {
  const entries = publicPackages().flatMap(({ name, exports }) =>
    Object.keys(exports).map((subpath) => name + subpath.slice(1)),
  );
  const imports = entries.map((entry, index) => `import * as entry${index} from "${entry}";`);
  const members = entries.map((entry, index) => `  "${entry}": Object.keys(entry${index}),`);
  return [...imports, "", "console.log({", ...members, "});", ""].join("\n");
}
