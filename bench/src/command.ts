/** What `npm run bench` and `npm run bench:peers` have in common: options, progress, output. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chartOf } from "./chart.js";
import type { Machine } from "./machine.js";
import { lookAtMachine, whyNotQuiet } from "./machine.js";
import { measure } from "./measure.js";
import type { Server } from "./postgres-server.js";
import { serverSettings, startServer } from "./postgres-server.js";
import { type Report, reportOf, skippedReport, summaryOf, textOf } from "./report.js";
import type { Row } from "./row.js";
import { atOnce, type Method, methods } from "./workload.js";

export interface Surroundings {
  /** On the disk to measure; gone afterwards. */
  readonly folder: string;
  readonly server: Server;
}

export interface Command {
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
  /** Why not to trust the figures. */
  readonly notQuiet?: string;
  readonly reports: readonly Report[];
}

export async function runCommand(command: Command): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  const method = methods[options.size];
  const machine = await lookAtMachine();
  warn(machine);
  const folder = mkdtempSync(join(options.folder, "heddle-bench-"));
  try {
    await using server = await startServer(options.folder);
    Object.assign(process.env, server.env);
    const rows = command
      .rows({ folder, server })
      .filter(({ id }) => options.only?.some((part) => id.includes(part)) ?? true);
    const measured = await measure(rows.filter(isPossible), method, showProgress);
    const reports = rows.map((row) => {
      const done = measured.find((one) => one.row === row);
      return done === undefined ? skippedReport(row) : reportOf(done);
    });
    const result = resultOf(command.title, machine, method, reports);
    if (options.json) console.log(JSON.stringify(result, null, 2));
    else console.log([introduction(result), textOf(reports, rows), summaryOf(reports)].filter(Boolean).join("\n\n"));
    const chart = options.chart ?? (options.size === "full" && options.only === undefined ? command.chart : undefined);
    if (chart !== undefined) writeFileSync(chart, chartOf(reports, captionOf(result)));
    if (result.notQuiet !== undefined)
      tell(`\nThe machine was not quiet: ${result.notQuiet}. Trust the ratios at most.\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isPossible({ skipped }: Row): boolean {
  return skipped === undefined;
}

function optionsOf(args: readonly string[]) {
  const { values } = parseArgs({
    // pnpm and npm hand the separator on in some versions.
    args: args.filter((argument) => argument !== "--"),
    options: {
      quick: { type: "boolean", default: false },
      tiny: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      /** Rows whose ids contain one of these, separated by commas. */
      only: { type: "string" },
      folder: { type: "string", default: tmpdir() },
      chart: { type: "string" },
    },
  });
  const size: keyof typeof methods = values.tiny ? "tiny" : values.quick ? "quick" : "full";
  return { ...values, size, only: values.only?.split(",") };
}

function warn(machine: Machine): void {
  const why = whyNotQuiet(machine);
  if (why !== undefined)
    tell(`The machine is not quiet: ${why}. Close other programs for figures that can be trusted.\n`);
}

function resultOf(title: string, machine: Machine, method: Method, reports: readonly Report[]): Result {
  const widest = Math.max(0, ...reports.flatMap(({ lines }) => lines.map(({ spread }) => spread)));
  const notQuiet = whyNotQuiet(machine, widest);
  const settings =
    "SQLite in WAL mode, FULL unless the row says otherwise; PostgreSQL " +
    `${Object.entries(serverSettings)
      .map(([name, value]) => `${name}=${value}`)
      .join(", ")}, else as it comes; ` +
    "10 connections per system; one process per system.";
  return { title, machine, method, settings, ...(notQuiet === undefined ? {} : { notQuiet }), reports };
}

function introduction({ title, machine, method, settings }: Result): string {
  const { sizes, repetitions, leastMs } = method;
  return (
    `${title}: Node ${machine.node}, ${machine.cores} x ${machine.cpu}\n` +
    `${sizes.runs} stateless runs, ${atOnce} at once; ${sizes.single} runs one by one; ${sizes.threads} threads of ` +
    `${sizes.turnsEach} turns, ${atOnce} at once; one thread of ${sizes.longThread} turns; 1 KB per turn; ${sizes.frames} frames.\n` +
    `Medians of ${repetitions} interleaved repetitions of at least ${leastMs / 1_000} s each, after a warm-up; bounds on the ` +
    `median of the ratios within each repetition.\n${settings}`
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
