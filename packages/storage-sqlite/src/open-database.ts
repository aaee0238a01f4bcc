/** Opening a database through better-sqlite3, whichever of the majors that we accept is installed. */

import { createRequire } from "node:module";
import { HeddleError } from "@heddle/core/storage";
import BetterSqlite3 from "better-sqlite3";

/** What it takes to load a driver. */
export interface Versions {
  /** Of better-sqlite3: `13.2.0`. */
  readonly driver: string;
  /** Of Node's native interface, whole: `10`. */
  readonly napi: string | undefined;
  /** Of Node: `22.23.3`. */
  readonly node: string;
}

let isChecked = false;

/** @throws HeddleError STORAGE_UNAVAILABLE: this Node cannot load the driver; else as the driver does */
export function openDatabase(path: string, options?: BetterSqlite3.Options): BetterSqlite3.Database {
  if (!isChecked) requireLoadable(installedVersions());
  isChecked = true;
  return new BetterSqlite3(path, options);
}

/**
 * better-sqlite3 13 needs Node-API 10 and ends a process of an older Node with a segmentation fault, so it is asked
 * before it is loaded. npm picks a version that suits Node; other package managers take the newest.
 */
export function requireLoadable({ driver, napi, node }: Versions): void {
  if (Number.parseInt(driver, 10) < 13 || Number(napi) >= 10) return;
  throw new HeddleError(
    "STORAGE_UNAVAILABLE",
    `better-sqlite3 ${driver} needs Node.js 22.14 or newer; this is ${node}. Update Node.js, or pin the driver in your ` +
      'package.json: "pnpm": { "overrides": { "better-sqlite3": "^12.11.1" } }, or "resolutions" with Yarn.',
    { details: { driver, node } },
  );
}

function installedVersions(): Versions {
  const { version } = createRequire(import.meta.url)("better-sqlite3/package.json") as { version: string };
  return { driver: version, napi: process.versions.napi, node: process.versions.node };
}
