import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of the current test's own. It stays, and its name is printed, when the test fails. */
export function tempDir(): string {
  const path = mkdtempSync(join(tmpdir(), "heddle-proof-"));
  onTestFinished(({ task }) => {
    if (task.result?.state === "fail") process.stdout.write(`  kept for a look: ${path}\n`);
    else rmSync(path, { recursive: true, force: true });
  });
  return path;
}
