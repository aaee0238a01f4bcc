import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("a process that could start a server ends with the exit code that it chose: a failed test run says so", () => {
  const program = 'await import("./support/embedded-postgres.ts"); process.exitCode = 3;';
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", program],
    { cwd: fileURLToPath(new URL(".", import.meta.url)), encoding: "utf8" },
  );
  expect({ status, stderr }).toEqual({ status: 3, stderr: "" });
});
