/**
 * `npm run bench:profile [-- --storage sqlite] [-- --kind stateless] [-- --seconds 5]`: where the processor's time of one
 * kind of work goes, by package and by function. With `--file` the whole profile too, for a browser's developer tools.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { positive, readOptions } from "../../scripts/lib/read-options.mjs";
import { startServer } from "./postgres-server.js";
import { kinds } from "./system.js";
import { createSystem } from "./systems/heddle.js";
import type { StorageOptions } from "./systems/heddle-storage.js";
import { methods } from "./workload.js";

interface Spent {
  readonly what: string;
  ms: number;
}

const storages: readonly StorageOptions["storage"][] = ["memory", "sqlite", "postgres"];

const usage = `npm run bench:profile -- [options]

  --storage S     ${storages.join(", ")} (default sqlite)
  --kind K        ${kinds.join(", ")} (default stateless)
  --seconds N     how long at the least (default 5)
  --functions N   how many are shown (default 30)
  --file FILE     the whole profile, for a browser's developer tools`;

const options = readOptions(usage, () => {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: {
      storage: { type: "string", default: "sqlite" },
      kind: { type: "string", default: "stateless" },
      seconds: { type: "string", default: "5" },
      functions: { type: "string", default: "30" },
      file: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const storage = storages.find((name) => name === values.storage);
  const kind = kinds.find((name) => name === values.kind);
  if (storage === undefined) throw new Error(`--storage is one of ${storages.join(", ")}; it was "${values.storage}"`);
  if (kind === undefined) throw new Error(`--kind is one of ${kinds.join(", ")}; it was "${values.kind}"`);
  const [seconds, functions] = [positive("seconds", values.seconds), positive("functions", values.functions)];
  return { file: values.file, storage, kind, seconds, functions };
});
const { storage, kind } = options;
const folder = mkdtempSync(join(tmpdir(), "heddle-profile-"));
const server = storage === "postgres" ? await startServer(tmpdir()) : undefined;
try {
  const system = createSystem({ storage, folder, ...(server === undefined ? {} : { url: server.url }) });
  await profile(async () => (await system[kind]?.(methods.full.sizes)) ?? Promise.reject(new Error(`no ${kind}`)));
} finally {
  await server?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}

async function profile(work: () => Promise<{ operations: number; ms: number; cpuMs: number }>): Promise<void> {
  await work(); // compiles
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 200 });
  await session.post("Profiler.start");
  const total = { operations: 0, ms: 0, cpuMs: 0 };
  while (total.ms < options.seconds * 1_000) {
    const { operations, ms, cpuMs } = await work();
    total.operations += operations;
    total.ms += ms;
    total.cpuMs += cpuMs;
  }
  const { profile: taken } = await session.post("Profiler.stop");
  if (options.file !== undefined) writeFileSync(options.file, JSON.stringify(taken));
  const perOperation = (ms: number) => `${((ms * 1_000) / total.operations).toFixed(2).padStart(8)} µs`;
  console.log(
    `${kind} on ${storage}: ${total.operations} operations, ${perOperation(total.ms)} each, CPU ${perOperation(total.cpuMs)}`,
  );
  for (const [title, nameOf, most] of [
    ["By package", (frame: Frame) => packageOf(frame), 20],
    ["By function", (frame: Frame) => `${frame.functionName || "(anonymous)"}  ${placeOf(frame)}`, options.functions],
  ] as const) {
    console.log(`\n${title}, own time per operation`);
    for (const { what, ms } of spentBy(taken as Profile, nameOf).slice(0, most))
      console.log(`${perOperation(ms)}  ${what}`);
  }
}

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame }[];
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

function spentBy({ nodes, samples = [], timeDeltas = [] }: Profile, nameOf: (frame: Frame) => string): Spent[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const spent = new Map<string, Spent>();
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined) continue;
    const what = nameOf(frame);
    const entry = spent.get(what) ?? { what, ms: 0 };
    spent.set(what, entry);
    entry.ms += (timeDeltas[index] ?? 0) / 1_000;
  }
  return [...spent.values()].sort((a, b) => b.ms - a.ms);
}

function packageOf({ url, functionName }: Frame): string {
  if (url === "") return functionName.startsWith("(") ? functionName : "V8 and native code";
  if (url.startsWith("node:")) return "Node";
  const own = /\/packages\/([^/]+)\/dist\/(?:src\/)?(?:([^/]+)\/)?/.exec(url);
  if (own !== null) return own.slice(1).filter(Boolean).join("/");
  const other = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url);
  return other?.[1] ?? "the benchmark";
}

function placeOf({ url, lineNumber }: Frame): string {
  return url === "" ? "" : `${url.split("/").slice(-3).join("/")}:${lineNumber + 1}`;
}
