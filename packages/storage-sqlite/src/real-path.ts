import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { HeddleError } from "@heddle/core/storage";

/**
 * The one name of a database file, whatever path led to it; also where the file, or what a link points to, is not
 * there yet.
 * @throws HeddleError STORAGE_UNAVAILABLE where there is no such directory
 */
export function realPathOf(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw unavailable(absolute, error);
  }
  const target = linkTarget(absolute);
  return target === undefined ? join(realDirectory(absolute), basename(absolute)) : realPathOf(target);
}

function realDirectory(path: string): string {
  try {
    return realpathSync(dirname(path));
  } catch (error) {
    throw unavailable(path, error);
  }
}

function linkTarget(path: string): string | undefined {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink ? resolve(dirname(path), readlinkSync(path)) : undefined;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function unavailable(path: string, cause: unknown): HeddleError {
  const message = `The database's directory cannot be used. Create it, or check its permissions. (${path})`;
  return new HeddleError("STORAGE_UNAVAILABLE", message, { details: { path }, cause });
}
