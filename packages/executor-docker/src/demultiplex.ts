/**
 * A container's standard output and error come in one stream, in pieces with a head of eight bytes: whose it is, and how
 * long. They go on as two, and the sender waits while neither has room.
 */

import { PassThrough, type Readable, Writable } from "node:stream";

const headLength = 8;
const standardError = 2;

export interface Outputs {
  readonly output: PassThrough;
  readonly log: PassThrough;
}

/** Both end with `source`, however it ends. */
export function demultiplex(source: Readable): Outputs {
  const outputs: Outputs = { output: new PassThrough(), log: new PassThrough() };
  const splitter = new Splitter(outputs);
  const end = (): void => {
    outputs.output.end();
    outputs.log.end();
  };
  splitter.on("finish", end).on("error", end);
  source.on("error", end).on("close", end);
  source.pipe(splitter);
  return outputs;
}

class Splitter extends Writable {
  readonly #outputs: Outputs;
  #head = Buffer.alloc(0);
  #target: PassThrough;
  /** Bytes of the current piece that are still to come. */
  #left = 0;

  constructor(outputs: Outputs) {
    super();
    this.#outputs = outputs;
    this.#target = outputs.output;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    let rest = chunk;
    while (rest.length > 0) rest = this.#left === 0 ? this.#readHead(rest) : this.#passOn(rest);
    this.#whenRoom(done);
  }

  #readHead(bytes: Buffer): Buffer {
    const missing = headLength - this.#head.length;
    this.#head = Buffer.concat([this.#head, bytes.subarray(0, missing)]);
    if (this.#head.length === headLength) {
      this.#target = this.#head[0] === standardError ? this.#outputs.log : this.#outputs.output;
      this.#left = this.#head.readUInt32BE(4);
      this.#head = Buffer.alloc(0);
    }
    return bytes.subarray(missing);
  }

  #passOn(bytes: Buffer): Buffer {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    if (!this.#target.writableEnded) this.#target.write(piece);
    return bytes.subarray(piece.length);
  }

  #whenRoom(done: () => void): void {
    const full = [this.#outputs.output, this.#outputs.log].find(
      (target) => target.writableNeedDrain && !target.writableEnded && !target.destroyed,
    );
    if (full === undefined) return done();
    const again = (): void => {
      full.off("drain", again).off("close", again);
      this.#whenRoom(done);
    };
    full.on("drain", again).on("close", again);
  }
}
