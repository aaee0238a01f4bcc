/** Standard error: each line is passed on, and the last ones are kept for the error that may come. */

import { longestLine, tailLines } from "./limits.js";

export class LogTail {
  readonly #clean: (line: string) => string;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #lines: string[] = [];
  #open = "";

  /** @param clean takes out of a line what must not be seen */
  constructor(clean: (line: string) => string, onLine: (line: string) => void) {
    this.#clean = clean;
    this.#onLine = onLine;
  }

  get lines(): readonly string[] {
    return this.#open === "" ? this.#lines : [...this.#lines, this.#clean(this.#open)];
  }

  write(chunk: Uint8Array): void {
    const [first = "", ...rest] = this.#decoder.decode(chunk, { stream: true }).split("\n");
    this.#open = cut(this.#open + first);
    for (const next of rest) {
      this.#close();
      this.#open = cut(next);
    }
  }

  end(): void {
    this.#close();
  }

  #close(): void {
    const line = this.#clean(this.#open.trimEnd());
    this.#open = "";
    if (line === "") return;
    this.#lines.push(line);
    if (this.#lines.length > tailLines) this.#lines.shift();
    this.#onLine(line);
  }
}

function cut(line: string): string {
  return line.length <= longestLine ? line : line.slice(0, longestLine);
}
