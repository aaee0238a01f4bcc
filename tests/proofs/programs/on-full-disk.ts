/** Works on a disk that the proof fills and frees. Argument: the folder on that disk. */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunHandle } from "@heddle/core";
import { createEngine, defineAgent, HeddleError } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { fillDisk } from "../support/fill-disk.js";
import { onCommand, tell } from "../support/tell.js";

export type DiskCommand = { readonly type: "work" } | { readonly type: "recover" };

export type DiskTold =
  | { readonly type: "ready" }
  | { readonly type: "cannot_mount"; readonly why: string }
  /** What happened from the start until starts were refused and, for a while, nothing could be written. */
  | {
      readonly type: "full";
      readonly accepted: readonly string[];
      readonly refusals: Readonly<Record<string, number>>;
      readonly unsettled: number;
      readonly readable: boolean;
    }
  | {
      readonly type: "recovered";
      readonly statuses: Readonly<Record<string, number>>;
      readonly lost: readonly string[];
      readonly ms: number;
      readonly newRun: string;
      readonly turns: number;
      readonly integrity: string;
      /** Attempts that the runs took. */
      readonly attempts: number;
      readonly reports: Readonly<Record<string, number>>;
    };

const say = tell<DiskTold>;
const [folder = "", megabytes = "8"] = process.argv.slice(2);

/** In a mount namespace of this process's own: it is gone with the process, however that ends. */
function mount(): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "pipe" });
    return true;
  } catch (error) {
    say({ type: "cannot_mount", why: String(error) });
    return false;
  }
}

if (!mount()) process.exit(0);

/** Goes on writing until it is told to end: the disk fills in its middle. */
let ending = false;
const writer = defineAgent({
  name: "writer",
  async run({ input, emit, checkpoint, values }) {
    const { count = 0 } = values as { readonly count?: number };
    for (let step = 0; step < 3 || !ending; step++) {
      await emit("step", { input, step, padding: "x".repeat(200) });
      await checkpoint({ draft: step });
      await sleep(5);
    }
    return { output: input, values: { count: count + 1 } };
  },
});

const engine = createEngine({ storage: sqliteStorage(join(folder, "runs.db")), agents: [writer] });
const reports = new Map<string, number>();
engine.on("error", ({ error }) => note(reports, HeddleError.is(error) ? error.code : String(error)));
await engine.start();
const threads = await Promise.all(Array.from({ length: 8 }, () => engine.threads.create()));
const runs: RunHandle[] = [];
let free = (): void => {};

onCommand<DiskCommand>((command) => (command.type === "work" ? work() : recover()));
say({ type: "ready" });

async function work(): Promise<void> {
  for (const thread of threads) runs.push(await thread.start(writer, "turn"));
  for (let count = 0; count < 8; count++) runs.push(await engine.runs.start(writer, "alone"));
  await sleep(100);
  free = fillDisk(folder);
  const refusals = await startUntilRefused();
  await sleep(500);
  const readable = (await threads[0]?.info())?.status === "busy" && (await engine.runs.list()).items.length > 0;
  const unsettled = await engine.runs.count({ status: ["pending", "running"] });
  say({
    type: "full",
    accepted: runs.map(({ id }) => id),
    refusals: Object.fromEntries(refusals),
    unsettled,
    readable,
  });
}

/** The log may have some room left: what is accepted counts, and comes out of it. */
async function startUntilRefused(): Promise<Map<string, number>> {
  const refusals = new Map<string, number>();
  while ((refusals.get("STORAGE_FULL") ?? 0) < 5) {
    try {
      runs.push(await engine.runs.start(writer, "x".repeat(20_000)));
    } catch (error) {
      note(refusals, HeddleError.is(error) ? error.code : String(error));
    }
  }
  return refusals;
}

async function recover(): Promise<void> {
  ending = true;
  const startedAt = performance.now();
  free();
  const outcomes = await Promise.all(runs.map((run) => run.settled()));
  const ms = performance.now() - startedAt;
  const statuses = new Map<string, number>();
  for (const { status } of outcomes) note(statuses, status);
  const listed = new Set<string>();
  let attempts = 0;
  for (let cursor: string | undefined; ; ) {
    const page = await engine.runs.list({ limit: 100, ...(cursor && { cursor }) });
    for (const { id, attempt } of page.items) {
      listed.add(id);
      attempts += attempt;
    }
    cursor = page.nextCursor;
    if (cursor === undefined) break;
  }
  const lost = runs.filter(({ id }) => !listed.has(id)).map(({ id }) => id);
  const newRun = (await (await threads[0]?.start(writer, "afterwards"))?.settled())?.status ?? "";
  const values = await Promise.all(threads.map(async (thread) => (await thread.values()).count as number));
  const integrity = await engine.transaction(async ({ host }) =>
    String(host.database.pragma("integrity_check", { simple: true })),
  );
  await engine.close();
  say({
    type: "recovered",
    ...{ lost, ms, newRun, integrity, attempts },
    statuses: Object.fromEntries(statuses),
    turns: values.reduce((sum, count) => sum + count, 0),
    reports: Object.fromEntries(reports),
  });
  process.exit(0);
}

function note(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
