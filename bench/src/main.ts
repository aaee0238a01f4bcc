/**
 * `npm run bench [-- --quick] [-- --json] [-- --folder <on the disk to measure>]`: how fast Heddle is, beside the same
 * minimal work done by hand in the same minutes.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { heddleOnMemory, heddleOnSqlite } from "./heddle.js";
import { measure } from "./measure.js";
import { rawSqlite } from "./raw.js";
import type { Figures } from "./report.js";
import { figuresOf, printFigures } from "./report.js";
import { atOnce, quick, standard } from "./workload.js";

/** Repetitions that lie further apart than this say more about the machine than about the code. */
const quietSpread = 0.1;

const { values: options } = parseArgs({
  // pnpm and npm hand the separator on in some versions.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    folder: { type: "string", default: tmpdir() },
  },
});

const sizes = options.quick ? quick : standard;
const busyBefore = loadavg()[0] ?? 0;
const folder = mkdtempSync(join(options.folder, "heddle-bench-"));
try {
  const systems = [
    heddleOnMemory(),
    heddleOnSqlite(folder, "full"),
    heddleOnSqlite(folder, "normal"),
    ...(["full", "normal"] as const).flatMap((level) => [
      rawSqlite(folder, level, "grouped"),
      rawSqlite(folder, level, "one by one"),
    ]),
  ];
  describe();
  const figures = figuresOf(systems, await measure(systems, sizes, showProgress), sizes);
  if (options.json) console.log(JSON.stringify({ sizes, machine: machine(), figures }, null, 2));
  else printFigures(figures, sizes);
  hint(figures);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function machine(): object {
  return {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    load: busyBefore,
    folder: options.folder,
  };
}

function describe(): void {
  const { runs, single, threads, turnsEach, longThread, repetitions } = sizes;
  tell(
    `${runs} stateless runs, ${atOnce} at once; ${single} runs one by one; ${threads} threads of ${turnsEach} turns, ` +
      `${atOnce} at once; one thread of ${longThread} turns; 1 KB per turn. Medians of ${repetitions} interleaved repetitions.\n`,
  );
}

/** On a terminal one line that changes; elsewhere a line now and then. Never on standard output: that is for figures. */
function showProgress(done: number, total: number, what: string): void {
  const width = 24;
  const bar = "#".repeat(Math.round((width * done) / total)).padEnd(width, ".");
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K[${bar}] ${what}${done === total ? "\n\n" : ""}`);
  else if (done % 14 === 0 || done === total) tell(`[${bar}] ${done}/${total}  ${what}\n`);
}

function hint(figures: readonly Figures[]): void {
  const widest = Math.max(...figures.flatMap(({ spread }) => Object.values(spread)));
  const percent = (part: number) => `${Math.round(part * 100)} %`;
  tell(`\nSpread of the repetitions (half the range between quartiles, of the median): at most ${percent(widest)}.\n`);
  if (widest <= quietSpread && busyBefore < availableParallelism() / 2) return;
  tell(
    `The machine was not quiet (load ${busyBefore.toFixed(1)} on ${availableParallelism()} cores before the start): ` +
      "trust the ratios, not the figures, or close other programs and measure again.\n",
  );
}

function tell(text: string): void {
  process.stderr.write(text);
}
