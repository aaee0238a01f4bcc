/** A conversation in a thread: each question is a run, shown while it happens, with what it cost. */
import { HeddleError, type RunHandle, type RunOutcome, type ThreadHandle } from "@heddle/core";
import type { DocsAssistant } from "./agent.js";
import type { Answer } from "./answer/conversation.js";
import type { AskedQuestion } from "./questions.js";
import type { Screen } from "./terminal/screen.js";
import { type Shown, showTurn } from "./terminal/show-turn.js";
import { sourceLines } from "./terminal/source-lines.js";
import { bytes, counted, milliseconds } from "./terminal/units.js";

export interface Chat {
  readonly thread: ThreadHandle;
  readonly agent: DocsAssistant;
  readonly screen: Screen;
}

export async function ask({ text: question, isTyped }: AskedQuestion, { thread, agent, screen }: Chat): Promise<void> {
  const { line, paint } = screen;
  line(isTyped ? "" : `\n${paint(["bold", "green"], "❯")} ${paint("bold", question)}\n`);
  const started = Date.now();
  const run = await thread.start(agent, { question }).catch((error: unknown) => refusal(error, screen));
  if (run === undefined) return;
  const shown = await cancelingOnInterrupt(run, (signal) => showTurn(run.events(), screen, signal));
  for (const text of conclusion(await run.settled(), screen)) line(text);
  line(paint("dim", `  ${await cost(run.id, thread, shown, started)}`));
}

/** The question is too long, or the thread is busy with one from elsewhere: nothing to give up for. */
function refusal(error: unknown, { line, paint }: Screen): undefined {
  if (!HeddleError.is(error, "INVALID_INPUT") && !HeddleError.is(error, "THREAD_BUSY")) throw error;
  line(paint("red", `  ✗ ${error.message}`));
}

function conclusion(outcome: RunOutcome<Answer>, screen: Screen): string[] {
  switch (outcome.status) {
    case "succeeded":
      return withGap(sourceLines(outcome.output.sources, screen));
    case "failed":
      return withGap([screen.paint("red", `  ✗ ${outcome.error.message}`)]);
    default:
      return withGap([screen.paint("yellow", `  ✗ ${outcome.status}`)]);
  }
}

function withGap(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [...lines, ""];
}

/** What the turn took, and what of it stays in the database. Deltas are not among it: they are never stored. */
async function cost(runId: string, thread: ThreadHandle, shown: Shown, started: number): Promise<string> {
  const [checkpoint] = await thread.history({ limit: 1 });
  const stored = checkpoint?.runId === runId ? checkpoint.storedBytes : 0;
  return [
    milliseconds(shown.endedAt.getTime() - started),
    `stored ${counted(shown.events, "event")} (${bytes(shown.eventBytes)}) and a checkpoint (${bytes(stored)})`,
    `streamed ${counted(shown.deltas, "delta")}`,
  ].join(" · ");
}

/** Ctrl-C during a turn cancels its run; the thread stays usable. A second one ends the program. */
async function cancelingOnInterrupt(run: RunHandle, show: (signal: AbortSignal) => Promise<Shown>): Promise<Shown> {
  const controller = new AbortController();
  const cancel = (): void => {
    controller.abort();
    run.cancel().catch(() => {}); // It had settled, and the engine is closed.
  };
  process.once("SIGINT", cancel);
  try {
    return await show(controller.signal);
  } finally {
    process.off("SIGINT", cancel);
  }
}
