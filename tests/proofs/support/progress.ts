/**
 * What a long proof shows while it runs. Test files run in processes of their own, side by side, so there is no
 * terminal to draw on: a line with a bar every few seconds, the first at once, the last when it is done.
 */

const interval = 3_000;
const width = 20;

export interface Progress {
  /** `note`: counts worth seeing. */
  at(done: number, note?: string): void;
}

export function startProgress(label: string, total: number): Progress {
  const startedAt = Date.now();
  let shownAt = 0;
  const show = (done: number, note: string): void => {
    shownAt = Date.now();
    const filled = Math.round((width * Math.min(done, total)) / total);
    const bar = "#".repeat(filled).padEnd(width, ".");
    const time = `${((shownAt - startedAt) / 1_000).toFixed(0)} s`;
    process.stdout.write(`  ${label}  [${bar}] ${done}/${total}  ${time}${note && `  ${note}`}\n`);
  };
  show(0, "");
  return {
    at(done, note = "") {
      if (done >= total || Date.now() - shownAt >= interval) show(done, note);
    },
  };
}
