/**
 * Keeps a program within its limits from its start to its end, whatever it says: both of its outputs are read, counted
 * and passed on; a cancel becomes a word, the end of its grace SIGTERM, and a second later SIGKILL.
 */

import type { Attempt } from "@heddle/core";
import type { AgentProgram, ProgramExit } from "./agent-program.js";
import type { ProgramLimits } from "./limits.js";
import { killDelay } from "./limits.js";
import type { LogTail } from "./log-tail.js";
import { outputTooLarge, silentTooLong } from "./program-errors.js";

export interface Supervision {
  readonly program: AgentProgram;
  readonly attempt: Pick<Attempt, "signal" | "fence">;
  readonly limits: ProgramLimits;
  readonly log: LogTail;
  /** Takes a piece of standard output. While it is not done, no more is read. What it throws ends the program. */
  take(chunk: Uint8Array): Promise<void> | void;
  /** The signal aborted: tell the program. */
  cancel(): void;
}

/** Resolves when nothing of the program runs any more. Rejects with what `take` threw, or the limit that was broken. */
export async function supervise(supervision: Supervision): Promise<ProgramExit> {
  const { program } = supervision;
  const stopWatching = watchSignals(supervision);
  const reader = new OutputReader(supervision);
  try {
    const [, , exit] = await Promise.all([reader.readOutput(), reader.readLog(), program.exited]);
    reader.throwFailure();
    return exit;
  } finally {
    stopWatching();
    reader.close();
    await program.kill();
  }
}

function watchSignals({ program, attempt: { signal, fence }, cancel }: Supervision): () => void {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    program.terminate();
    timer = setTimeout(() => void program.kill(), killDelay);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  if (fence.aborted) stop();
  else fence.addEventListener("abort", stop, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
    fence.removeEventListener("abort", stop);
  };
}

class OutputReader {
  readonly #supervision: Supervision;
  #bytes = 0;
  #silence: NodeJS.Timeout | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(supervision: Supervision) {
    this.#supervision = supervision;
    this.#heard();
  }

  async readOutput(): Promise<void> {
    const { program, take } = this.#supervision;
    await this.#read(program.output, async (chunk) => {
      this.#heard();
      await take(chunk);
    });
    clearTimeout(this.#silence);
  }

  async readLog(): Promise<void> {
    const { program, log } = this.#supervision;
    await this.#read(program.log, (chunk) => log.write(chunk));
    log.end();
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  close(): void {
    clearTimeout(this.#silence);
  }

  async #read(source: AsyncIterable<Uint8Array>, take: (chunk: Uint8Array) => Promise<void> | void): Promise<void> {
    try {
      for await (const chunk of source) {
        this.#count(chunk.length);
        await take(chunk);
        if (this.#failure !== undefined) return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #count(bytes: number): void {
    const { limits, log } = this.#supervision;
    this.#bytes += bytes;
    if (this.#bytes > limits.output) throw outputTooLarge(limits.output, log.lines);
  }

  /** The first failure counts; the others follow from it. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    void this.#supervision.program.kill();
  }

  #heard(): void {
    const { limits, log } = this.#supervision;
    clearTimeout(this.#silence);
    if (limits.silence === Number.POSITIVE_INFINITY) return;
    this.#silence = setTimeout(() => this.#fail(silentTooLong(limits.silence, log.lines)), limits.silence);
  }
}
