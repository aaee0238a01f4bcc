/** What is seen while it goes on: a few lines drawn over and over on a terminal, elsewhere a line now and then. */

import type { ChaosOptions } from "./options.js";
import { unbounded } from "./options.js";
import type { View } from "./run-chaos.js";
import type { SeatState } from "./seat.js";

const redrawAfter = 150;
const lineAfter = 5_000;
const barWidth = 32;

const signs: Readonly<Record<SeatState, string>> = {
  starting: "\x1b[33m◌\x1b[0m",
  up: "\x1b[32m●\x1b[0m",
  stopped: "\x1b[35m‖\x1b[0m",
  down: "\x1b[31m✕\x1b[0m",
  retired: " ",
};

const phases: Readonly<Record<View["phase"], string>> = {
  load: "load and faults",
  settling: "the faults are over: what was accepted settles",
  rest: "at rest: does anybody still wait?",
  checking: "judging the history",
};

/** Returns its undo. */
export function showProgress(options: ChaosOptions, view: () => View): () => void {
  const isTerminal = process.stdout.isTTY === true;
  const from = performance.now();
  const seconds = (): string => `${((performance.now() - from) / 1_000).toFixed(0)} s`;
  let drawn = 0;
  const draw = (): void => {
    const lines = drawing(options, view(), seconds());
    const up = drawn === 0 ? "" : `\x1b[${drawn}A\x1b[J`;
    process.stdout.write(`${up}${lines.join("\n")}\n`);
    drawn = lines.length;
  };
  const say = (): void => void process.stdout.write(`  ${seconds().padStart(6)}  ${sentence(view())}\n`);
  const show = isTerminal ? draw : say;
  show();
  const timer = setInterval(show, isTerminal ? redrawAfter : lineAfter);
  return () => {
    clearInterval(timer);
    show();
  };
}

function drawing({ runs, minutes }: ChaosOptions, view: View, time: string): string[] {
  const { phase, accepted, settled, workers, clients, troubles } = view;
  const goal = runs < unbounded ? runs : Math.max(accepted, 1);
  const filled = Math.round(Math.min(settled / goal, 1) * barWidth);
  const bar = `\x1b[36m${"█".repeat(filled)}\x1b[90m${"░".repeat(barWidth - filled)}\x1b[0m`;
  const bound = runs < unbounded ? `of ${runs}` : `${minutes} min`;
  return [
    "",
    `  ${bar}  ${settled} settled, ${accepted} accepted ${bound}   ${time}   ${phases[phase]}`,
    `  workers  ${workers.map(({ state, attempts }) => `${signs[state]}${state === "up" ? String(attempts).padEnd(2) : "  "}`).join(" ")}`,
    `  clients  ${clients.map(({ state, open }) => `${signs[state]} ${open} calls open`.padEnd(28)).join(" ")}`,
    `  done     ${troublesOf(troubles)}`,
    "",
  ];
}

function sentence({ phase, accepted, settled, workers, troubles }: View): string {
  const up = workers.filter(({ state }) => state === "up").length;
  return `${phases[phase]}: ${settled} settled of ${accepted}, ${up}/${workers.length} workers up; ${troublesOf(troubles)}`;
}

function troublesOf(troubles: View["troubles"]): string {
  return [...troubles].map(([kind, { count }]) => `${count} × ${kind}`).join(", ") || "nothing yet";
}
