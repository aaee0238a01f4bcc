/** What `npm run bench` and `npm run bench:peers` have in common: options, progress, output. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readOptions } from "../../scripts/lib/read-options.mjs";
import { chartOf } from "./chart.js";
import { fsyncTime } from "./fsync-time.js";
import type { Machine } from "./machine.js";
import { lookAtMachine, whyNotQuiet } from "./machine.js";
import { measure } from "./measure.js";
import type { Server } from "./postgres-server.js";
import { serverSettings, startServer } from "./postgres-server.js";
import { type Report, reportOf, skippedReport, summaryOf, textOf } from "./report.js";
import type { Row } from "./row.js";
import { atOnce, type Effort, type Method, methods } from "./workload.js";

/** Files in memory, on Linux. */
const memoryDisk = "/dev/shm";

export interface Surroundings {
  /** On the disk to measure; gone afterwards. */
  readonly folder: string;
  /** In memory; gone afterwards. `undefined`: there is no such thing here. */
  readonly memoryFolder: string | undefined;
  readonly server: Server;
}

export interface Command {
  /** `bench`: how npm calls it. */
  readonly script: string;
  readonly title: string;
  /** Where the chart of a full measurement goes. */
  readonly chart: string;
  rows(surroundings: Surroundings): readonly Row[];
}

/** What `--json` prints. */
export interface Result {
  readonly title: string;
  readonly machine: Machine;
  readonly method: Method;
  readonly settings: string;
  /** Of the disk that was measured, ms: the median. */
  readonly fsyncMs: number;
  /** Why not to trust the figures. */
  readonly notQuiet?: string;
  readonly reports: readonly Report[];
}

export async function runCommand(command: Command): Promise<void> {
  const options = readOptions(usageOf(command), () => optionsOf(process.argv.slice(2)));
  const method = methods[options.size];
  const machine = await lookAtMachine();
  warn(machine);
  const folder = mkdtempSync(join(options.folder, "heddle-bench-"));
  const memoryFolder = existsSync(memoryDisk) ? mkdtempSync(join(memoryDisk, "heddle-bench-")) : undefined;
  try {
    const fsyncMs = fsyncTime(folder);
    await using server = await startServer(options.folder);
    Object.assign(process.env, server.env);
    const rows = command
      .rows({ folder, memoryFolder, server })
      .filter(({ id }) => options.only?.some((part) => id.includes(part)) ?? true);
    const measured = await measure(rows.filter(isPossible), method, showProgress);
    const reports = rows.map((row) => {
      const done = measured.find((one) => one.row === row);
      return done === undefined ? skippedReport(row) : reportOf(done);
    });
    const result = resultOf(command.title, { machine, method, reports, fsyncMs });
    if (options.json) console.log(JSON.stringify(result, null, 2));
    else console.log([introduction(result), textOf(reports, rows), summaryOf(reports)].filter(Boolean).join("\n\n"));
    const chart = options.chart ?? (options.size === "full" && options.only === undefined ? command.chart : undefined);
    if (chart !== undefined) writeFileSync(chart, chartOf(reports, captionOf(result)));
    if (result.notQuiet !== undefined)
      tell(`\nThe machine was not quiet: ${result.notQuiet}. Trust the ratios at most.\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    if (memoryFolder !== undefined) rmSync(memoryFolder, { recursive: true, force: true });
  }
}

function isPossible({ skipped }: Row): boolean {
  return skipped === undefined;
}

const usageOf = ({ script }: Command): string => `npm run ${script} -- [options]

  --quick         shorter and fewer repetitions: figures to go by while tuning
  --tiny          as short as can be: does everything run?
  --only A,B,…    rows whose ids contain one of these
  --json          the result as JSON on standard output
  --folder PATH   on the disk to measure (default ${tmpdir()})
  --chart FILE    where to draw the chart (default: a full measurement's in docs/)`;

function optionsOf(args: readonly string[]) {
  const { values } = parseArgs({
    // pnpm and npm hand the separator on in some versions.
    args: args.filter((argument) => argument !== "--"),
    options: {
      quick: { type: "boolean", default: false },
      tiny: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      only: { type: "string" },
      folder: { type: "string", default: tmpdir() },
      chart: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const size: keyof typeof methods = values.tiny ? "tiny" : values.quick ? "quick" : "full";
  return { ...values, size, only: values.only?.split(",") };
}

function warn(machine: Machine): void {
  const why = whyNotQuiet(machine);
  if (why !== undefined)
    tell(`The machine is not quiet: ${why}. Close other programs for figures that can be trusted.\n`);
}

type Measured = Pick<Result, "machine" | "method" | "fsyncMs" | "reports">;

function resultOf(title: string, measured: Measured): Result {
  const { machine, reports } = measured;
  const widest = Math.max(0, ...reports.flatMap(({ lines }) => lines.map(({ spread }) => spread)));
  const notQuiet = whyNotQuiet(machine, widest);
  const settings =
    "SQLite in WAL mode, FULL unless the row says otherwise; PostgreSQL " +
    `${Object.entries(serverSettings)
      .map(([name, value]) => `${name}=${value}`)
      .join(", ")}, else as it comes; ` +
    "10 connections per system; one process per system.";
  return { title, ...measured, settings, ...(notQuiet === undefined ? {} : { notQuiet }) };
}

function introduction({ title, machine, method, settings, fsyncMs }: Result): string {
  const { sizes, bounded, shown } = method;
  const effort = ({ repetitions, leastMs }: Effort) =>
    `${repetitions} interleaved repetitions of at least ${leastMs / 1_000} s each`;
  return (
    `${title}: Node ${machine.node}, ${machine.cores} x ${machine.cpu}; an fsync takes ${fsyncMs.toFixed(2)} ms\n` +
    `${sizes.runs} stateless runs, ${atOnce} at once; ${sizes.single} runs one by one; ${sizes.threads} threads of ` +
    `${sizes.turnsEach} turns, ${atOnce} at once; one thread of ${sizes.longThread} turns; 1 KB per turn; ${sizes.frames} frames.\n` +
    `Medians, after a warm-up: of ${effort(bounded)} where a bound is about the system, else of ${effort(shown)}; ` +
    `bounds on the median of the ratios within each repetition.\n${settings}`
  );
}

function captionOf({ title, machine }: Result): string {
  return `${title}, Node ${machine.node}, ${machine.cores} x ${machine.cpu}`;
}

/** On a terminal one line that changes; elsewhere a line now and then. Never on standard output: that is for figures. */
function showProgress(done: number, total: number, what: string): void {
  const width = 24;
  const bar = "#".repeat(Math.round((width * done) / total)).padEnd(width, ".");
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K[${bar}] ${what}${done === total ? "\n\n" : ""}`);
  else if (done % 10 === 0 || done === total) tell(`[${bar}] ${done}/${total}  ${what}\n`);
}

function tell(text: string): void {
  process.stderr.write(text);
}
