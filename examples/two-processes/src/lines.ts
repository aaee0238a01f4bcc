/** Lines of what happens, on one time scale; in color where somebody looks. */

const inColor = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const from = performance.now();

const colors = { A: 36, B: 35, client: 90, dead: 31, done: 32 } as const;
export type Color = keyof typeof colors;

export function paint(color: Color, text: string): string {
  return inColor ? `\x1b[${colors[color]}m${text}\x1b[0m` : text;
}

export function say(who: string, color: Color, text: string): void {
  const time = `${((performance.now() - from) / 1_000).toFixed(2)} s`;
  console.log(`  ${paint("client", time.padStart(7))}  ${paint(color, who.padEnd(8))}  ${text}`);
}
