/** A bar with a rate on a terminal; elsewhere a line now and then. */

const width = 30;
const redrawAfter = 100;
const lineAfter = 15_000;

export interface ProgressBar {
  /** One more is done. */
  step(note: string): void;
  /** Answers how many were done per second. */
  stop(): number;
}

export function startBar(total: number): ProgressBar {
  const startedAt = performance.now();
  const isTerminal = process.stdout.isTTY === true;
  let done = 0;
  let shownAt = startedAt;
  const rate = (): number => Math.round(done / Math.max((performance.now() - startedAt) / 1_000, 0.001));
  const line = (note: string): string => {
    const filled = Math.round((done / total) * width);
    return `${"█".repeat(filled)}${"░".repeat(width - filled)} ${done}/${total}  ${rate()}/s  ${note}`;
  };
  return {
    step(note) {
      done++;
      const now = performance.now();
      if (now - shownAt < (isTerminal ? redrawAfter : lineAfter)) return;
      shownAt = now;
      process.stdout.write(isTerminal ? `\r\x1b[2K${line(note)}` : `${line(note)}\n`);
    },
    stop() {
      if (isTerminal) process.stdout.write("\r\x1b[2K");
      return rate();
    },
  };
}
