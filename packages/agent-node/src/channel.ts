/** The two pipes to the engine: frames out, frames in. Whatever else prints is turned to standard error. */

import { createInterface } from "node:readline";

export interface EngineFrame {
  readonly type: string;
  readonly [field: string]: unknown;
}

export class Channel {
  readonly #write: (text: string) => boolean;

  constructor() {
    this.#write = process.stdout.write.bind(process.stdout);
    process.stdout.write = process.stderr.write.bind(process.stderr);
  }

  send(frame: object): void {
    this.#write(`${JSON.stringify(frame)}\n`);
  }

  /** @param onEnd the engine has said its last word, or is gone */
  listen(onFrame: (frame: EngineFrame) => void, onEnd: () => void): void {
    const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on("line", (line) => onFrame(JSON.parse(line) as EngineFrame));
    lines.on("close", onEnd);
  }
}
