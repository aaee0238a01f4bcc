/** One line that is redrawn in place on a terminal; elsewhere nothing, so that logs stay readable. */
import type { Paint } from "./paint.js";

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly note: string;
}

export interface ProgressBar {
  update(progress: Progress): void;
  /** Takes the line away. */
  clear(): void;
}

const CELLS = 28;
const REDRAW_INTERVAL = 40;

export function progressBar(stream: NodeJS.WriteStream, paint: Paint): ProgressBar {
  if (!stream.isTTY) return { update: () => {}, clear: () => {} };
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    update(progress) {
      const isLast = progress.done === progress.total;
      if (!isLast && performance.now() - drawnAt < REDRAW_INTERVAL) return;
      drawnAt = performance.now();
      stream.write(`\r\u001b[2K${drawn(progress, paint)}`);
    },
    clear: () => void stream.write("\r\u001b[2K"),
  };
}

export function drawn({ done, total, note }: Progress, paint: Paint): string {
  const filled = total === 0 ? CELLS : Math.round((done / total) * CELLS);
  return `  ${paint("green", "━".repeat(filled))}${paint("dim", "─".repeat(CELLS - filled))}  ${paint("dim", note)}`;
}
