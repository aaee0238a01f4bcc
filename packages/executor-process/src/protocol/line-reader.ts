/** Bytes in, lines out. A line is complete, valid UTF-8 and no longer than its limit, or the reader refuses. */

import { ProtocolViolation } from "./frames.js";

const newline = 0x0a;

export class LineReader {
  readonly #limit: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that end in `chunk`; empty ones are left out. @throws ProtocolViolation */
  *read(chunk: Uint8Array): Generator<string> {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      this.#add(chunk.subarray(start, end));
      start = end + 1;
      const line = this.rest();
      if (line !== "") yield line;
    }
    this.#add(chunk.subarray(start));
  }

  /** What came after the last newline. @throws ProtocolViolation */
  rest(): string {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#length = 0;
    try {
      return this.#decoder.decode(bytes).trim();
    } catch {
      throw new ProtocolViolation("bytes that are no UTF-8", bytes.subarray(0, 100).toString("latin1"));
    }
  }

  #add(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#limit) throw new ProtocolViolation(`a frame of more than ${this.#limit} bytes`);
    if (part.length > 0) this.#parts.push(part);
  }
}
