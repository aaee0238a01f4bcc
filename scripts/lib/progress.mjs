const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const REDRAW_MS = 100;
const HEARTBEAT_MS = 30_000;

const interactive = Boolean(process.stdout.isTTY) && !process.env.CI && process.env.TERM !== "dumb";

/**
 * Shows that a step is going on: a spinner with the latest line of output on a terminal; elsewhere plain lines, one at
 * the start, one per note and one every half minute.
 * @param {string} label
 */
export function startProgress(label) {
  const startedAt = Date.now();
  const elapsed = () => formatDuration(Date.now() - startedAt);
  let latest = "";
  let frame = 0;

  if (!interactive) console.log(`${label} ...`);
  const draw = () => drawLine(`${FRAMES[frame++ % FRAMES.length]} ${label}  ${elapsed()}`, latest);
  const beat = () => console.log(`${label} ... still running after ${elapsed()}`);
  const timer = setInterval(interactive ? draw : beat, interactive ? REDRAW_MS : HEARTBEAT_MS);

  return {
    /** @param {string} line */
    output(line) {
      latest = line;
    },
    /** Says something that should stay on the screen. @param {string} text */
    note(text) {
      clearLine();
      console.log(`      ${text}`);
    },
    stop() {
      clearInterval(timer);
      clearLine();
    },
  };
}

/** @param {number} ms */
export function formatDuration(ms) {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** @param {string} status @param {string} detail */
function drawLine(status, detail) {
  const room = Math.max(0, (process.stdout.columns || 80) - status.length - 4);
  const text = stripControls(detail).slice(0, room);
  clearLine();
  process.stdout.write(text ? `${status}  ${text}` : status);
}

function clearLine() {
  if (interactive) process.stdout.write("\r\x1b[2K");
}

/** Colour codes would be cut in half by the slice above. @param {string} text */
function stripControls(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").replace(/[\x00-\x1f]/g, " ");
}
