/** Lines of two processes on one time scale. */

export const startedAt = Number(process.env.STARTED_AT ?? Date.now());
const name = process.send === undefined ? "parent" : "child";

export function say(text: string): void {
  console.log(`${String(Date.now() - startedAt).padStart(5)} ms  ${name.padEnd(6)}  ${text}`);
}
