import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { searchPath } from "./debian-tools.mjs";
import { workDir } from "./paths.mjs";

const START_LIMIT = 60_000;
const STOP_LIMIT = 20_000;

/**
 * Starts this machine's container engine, unless one answers already. Says what it does; whoever needs the engine finds
 * out by asking it.
 * @returns {Promise<() => Promise<void>>} stops what was started
 */
export async function startContainerEngine() {
  if (engineAnswers()) return async () => {};
  mkdirSync(workDir, { recursive: true });
  const log = openSync(join(workDir, "dockerd.log"), "a");
  const daemon = spawn("dockerd", [], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, PATH: searchPath },
  });
  daemon.on("error", (error) => console.log(`dockerd could not be started: ${error.message}`));
  daemon.unref();
  const answered = await until(engineAnswers, START_LIMIT);
  console.log(answered ? "dockerd is running." : "dockerd does not answer; see .work/dockerd.log.");
  return async () => {
    daemon.kill("SIGTERM");
    await until(() => daemon.exitCode !== null || daemon.signalCode !== null, STOP_LIMIT);
  };
}

export function engineAnswers() {
  return spawnSync("docker", ["version"], { stdio: "ignore", timeout: 10_000 }).status === 0;
}

/** @param {() => boolean} holds @param {number} limit ms */
async function until(holds, limit) {
  const end = Date.now() + limit;
  while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 200));
  return holds();
}
