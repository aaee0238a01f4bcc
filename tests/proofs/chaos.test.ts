/**
 * Real processes under load: killed, stopped past their lease, closed; the server restarted in immediate mode, its
 * connections cut; the disk filled. What all of them saw is judged by the checker of the simulation. `npm run chaos` does
 * the same for as long as one likes.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { minutes, sized } from "./support/size.js";

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const main = fileURLToPath(new URL("../chaos/main.ts", import.meta.url));

const load = sized({
  quick: ["--minutes", "0.1", "--runs", "0", "--threads", "8", "--workers", "3", "--clients", "1"],
  full: ["--minutes", "3", "--runs", "2000", "--threads", "50", "--workers", "4", "--clients", "2"],
});

test.each([
  { storage: "sqlite", done: ["kill a worker", "stop a worker past its lease", "disk_full"] },
  { storage: "postgres", done: ["kill a worker", "stop a worker past its lease", "restart", "disconnect"] },
])("every promise is kept on $storage, whatever dies", { timeout: 30 * minutes }, async ({ storage, done }) => {
  const { code, output } = await runChaos(["--storage", storage, ...load, "--lease", "1500"]);
  const told = `\n${output}`;
  process.stdout.write(told);
  expect(code, output).toBe(0);
  expect(output).toContain("All promises kept");
  for (const kind of done) {
    const isLeftOut = kind === "disk_full" && output.includes("no full disk");
    if (!isLeftOut) expect(output, "it was done at least once").toMatch(new RegExp(`^ +${kind} +[1-9]`, "m"));
  }
});

/** As `npm run chaos` does, with its exit code. */
async function runChaos(args: readonly string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, ["--import", tsx, main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGTERM"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
  const [code] = await once(child, "close");
  return { code: Number(code), output };
}
