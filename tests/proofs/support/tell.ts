/** The child's side of `program.ts`: telling the proof, and hearing from it. */

import { writeSync } from "node:fs";
import type { Message } from "./program.js";

const pipe = 3;

/** Synchronous: a process that kills itself in the next line has told it. */
export function tell<Told extends Message>(message: Told): void {
  writeSync(pipe, `${JSON.stringify(message)}\n`);
}

export function onCommand<Command extends Message>(handle: (command: Command) => void | Promise<void>): void {
  process.on("message", (command) => void handle(command as Command));
  // Whoever started this may be gone already.
  if (process.connected) process.once("disconnect", () => process.exit());
  else process.exit();
}

export function killMyself(): void {
  process.kill(process.pid, "SIGKILL");
}
