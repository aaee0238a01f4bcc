import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readJson, root } from "./paths.mjs";

/**
 * @typedef {object} Package
 * @property {string} name as in its package.json
 * @property {string} folder absolute
 * @property {Record<string, unknown>} exports
 */

/** @param {string} parent @returns {string[]} the folders in it that hold a package.json */
function packageFolders(parent) {
  return readdirSync(join(root, parent))
    .sort()
    .map((name) => join(root, parent, name))
    .filter((folder) => existsSync(join(folder, "package.json")));
}

/** @returns {Package[]} every package that is published: all of packages/ without `"private": true` */
export function publicPackages() {
  return packageFolders("packages")
    .map((folder) => ({ folder, manifest: readJson(join(folder, "package.json")) }))
    .filter(({ manifest }) => !manifest.private)
    .map(({ folder, manifest }) => ({ name: manifest.name, folder, exports: manifest.exports }));
}

/** Each example is a folder of its own and starts at src/main.ts. */
export function exampleFolders() {
  return packageFolders("examples");
}

/** Every file that says what must be installed; a change in any of them means installing again. */
export function manifestFiles() {
  const folders = [...packageFolders("packages"), ...packageFolders("examples"), ...packageFolders(".")];
  return [
    ...["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"].map((name) => join(root, name)),
    ...folders.map((folder) => join(folder, "package.json")),
  ];
}
