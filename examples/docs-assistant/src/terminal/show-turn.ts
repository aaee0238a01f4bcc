/** Shows one turn while it happens, from the frames of its run. */
import type { DeltaFrame, EventFrame, RunFrame } from "@heddle/core";
import type { SearchInput } from "../agent.js";
import { AnswerPrinter } from "./answer-printer.js";
import type { Screen } from "./screen.js";

export interface Shown {
  readonly events: number;
  readonly eventBytes: number;
  readonly deltas: number;
  /** When the run's last event was stored. Showing it at reading pace may take longer. */
  readonly endedAt: Date;
}

/** `signal`: show the rest at once. */
export async function showTurn(frames: AsyncIterable<RunFrame>, screen: Screen, signal?: AbortSignal): Promise<Shown> {
  const view = new TurnView(screen);
  const shown = { events: 0, eventBytes: 0, deltas: 0, endedAt: new Date() };
  for await (const frame of frames) {
    if (frame.kind === "event") {
      view.event(frame);
      shown.events += 1;
      shown.eventBytes += Buffer.byteLength(JSON.stringify(frame.payload));
      shown.endedAt = frame.createdAt;
    } else if (frame.kind === "delta") {
      view.delta(frame);
      shown.deltas += 1;
      if (!signal?.aborted) await screen.pace();
    }
  }
  view.end();
  return shown;
}

class TurnView {
  readonly #screen: Screen;
  readonly #printer: AnswerPrinter;
  #answer = "";
  /** The number that the next delta must have, if none was lost. */
  #next = 1;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.#printer = new AnswerPrinter({ ...screen, indent: "  " });
  }

  /** Deltas are transient: a reader that is late or slow misses some. From then on we wait for the whole message. */
  delta({ type, sequenceNumber, payload }: DeltaFrame): void {
    if (type !== "assistant_message" || sequenceNumber !== this.#next) return;
    this.#next += 1;
    this.#say((payload as { readonly text: string }).text);
  }

  event({ type, payload }: EventFrame): void {
    const fields = payload as Readonly<Record<string, unknown>> | null;
    if (type === "tool_call") this.#searching(fields?.["input"] as SearchInput);
    if (type === "tool_result") this.#found(fields?.["output"] as readonly string[]);
    if (type === "assistant_message") this.#complete(fields?.["content"] as string);
  }

  end(): void {
    this.#printer.end();
    if (this.#answer !== "") this.#screen.line("");
  }

  #searching(input: SearchInput): void {
    this.#screen.line(this.#screen.paint("dim", `  ⌕ ${described(input)}`));
  }

  #found(ids: readonly string[]): void {
    const { line, paint } = this.#screen;
    const count = ids.length === 1 ? "1 passage" : `${ids.length} passages`;
    line(ids.length === 0 ? paint("yellow", "  · nothing found\n") : paint("dim", `  ✓ ${count}, best ${ids[0]}\n`));
  }

  #say(text: string): void {
    this.#answer += text;
    this.#printer.print(text);
  }

  #complete(content: string): void {
    if (content.startsWith(this.#answer)) this.#say(content.slice(this.#answer.length));
    else this.#say(`\n\n${content}`);
  }
}

/** "validate, data · remembered: async · in zod" */
function described({ kind, wants, words, remembered, packages }: SearchInput): string {
  const form = kind !== "lookup" ? kind : wants === "example" ? "example" : "";
  return [
    ...(form === "" ? [] : [form]),
    ...(words.length === 0 ? [] : [words.join(", ")]),
    ...(remembered.length === 0 ? [] : [`remembered: ${remembered.join(", ")}`]),
    ...(packages.length === 0 ? [] : [`in ${packages.join(", ")}`]),
  ].join(" · ");
}
