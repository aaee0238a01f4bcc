/** The table of who weaves what: drawn over and over on a terminal, elsewhere once per event. */

import type { Worker } from "./fleet.js";

const isTerminal = process.stdout.isTTY === true;
const inColor = isTerminal && process.env.NO_COLOR === undefined;
const redrawAfter = 80;
const width = 36;

const colors = { green: 32, yellow: 33, cyan: 36, gray: 90 } as const;

function paint(color: keyof typeof colors, text: string): string {
  return inColor ? `\x1b[${colors[color]}m${text}\x1b[0m` : text;
}

export interface Standing {
  readonly done: number;
  readonly total: number;
  readonly workers: readonly Worker[];
  readonly slots: number;
  /** Finished pieces by worker. */
  readonly finished: ReadonlyMap<string, number>;
}

export class Board {
  readonly #standing: () => Standing;
  readonly #from = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #lines = 0;

  constructor(standing: () => Standing) {
    this.#standing = standing;
    this.#timer = isTerminal ? setInterval(() => this.#draw(), redrawAfter) : undefined;
  }

  /** Something worth a line. */
  say(text: string): void {
    this.#clear();
    console.log(`  ${paint("gray", `${this.#seconds.padStart(5)} s`)}  ${text}`);
    this.#draw();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#clear();
    this.#draw();
  }

  get #seconds(): string {
    return ((performance.now() - this.#from) / 1_000).toFixed(1);
  }

  #clear(): void {
    if (isTerminal && this.#lines > 0) process.stdout.write(`\x1b[${this.#lines}A\x1b[J`);
    this.#lines = 0;
  }

  #draw(): void {
    this.#clear();
    const lines = drawing(this.#standing());
    process.stdout.write(`${lines.join("\n")}\n`);
    this.#lines = lines.length;
  }
}

function drawing({ done, total, workers, slots, finished }: Standing): string[] {
  const filled = Math.round((done / total) * width);
  const bar = paint("cyan", "█".repeat(filled)) + paint("gray", "░".repeat(width - filled));
  const busy = workers.reduce((sum, { pieces }) => sum + pieces.length, 0);
  return [
    "",
    `  ${bar}  ${done} of ${total} woven, ${busy} on the loom`,
    ...workers.map((worker) => rowOf(worker, slots, finished.get(worker.name) ?? 0)),
    "",
  ];
}

const signs = { starts: "◌", works: "●", leaves: "◐", left: "○" } as const;

function rowOf({ name, state, pieces }: Worker, slots: number, count: number): string {
  const cells = Array.from({ length: slots }, (_, slot) => {
    const piece = pieces[slot];
    return piece === undefined ? paint("gray", "  · ") : paint("green", `#${piece}`.padStart(4));
  });
  const sign = paint(state === "works" ? "green" : state === "left" ? "gray" : "yellow", signs[state]);
  return `  ${sign} ${name.padEnd(10)} ${state.padEnd(7)} ${cells.join(" ")}   ${String(count).padStart(3)} done`;
}
