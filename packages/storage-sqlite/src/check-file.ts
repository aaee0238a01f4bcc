/**
 * What can be said of a file without opening it. Opening and closing it ourselves would drop the locks that another
 * connection of this process holds on it.
 */

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { HeddleError } from "@heddle/core/storage";

/** @throws HeddleError STORAGE_FOREIGN, STORAGE_READONLY, STORAGE_UNAVAILABLE */
export function checkFile(path: string): void {
  if (existsSync(path)) {
    refuseOtherKinds(path);
    requireWritable(path, path);
  }
  requireWritable(dirname(path), path);
}

/** SQLite takes a file of one byte for an empty database and would write over it. */
function refuseOtherKinds(path: string): void {
  const stat = statSync(path);
  const details = { path };
  if (!stat.isFile()) {
    throw new HeddleError("STORAGE_UNAVAILABLE", `The path names something else than a file. (${path})`, { details });
  }
  if (stat.size === 0 || stat.size >= 512) return;
  const message = `The file is not an SQLite database. It was left as it is. Choose another path. (${path})`;
  throw new HeddleError("STORAGE_FOREIGN", message, { details });
}

function requireWritable(what: string, path: string): void {
  try {
    accessSync(what, constants.W_OK);
  } catch (cause) {
    const message =
      "The database cannot be written. Give this program write access to the file and to its directory, where " +
      `SQLite keeps its log. (${path})`;
    throw new HeddleError("STORAGE_READONLY", message, { details: { path }, cause });
  }
}
