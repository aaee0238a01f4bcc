/** Where questions come from: the command line, standard input, a person at the keyboard, or nobody. */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE = 1_000;

export interface AskedQuestion {
  readonly text: string;
  /** The terminal shows it already. */
  readonly isTyped: boolean;
}

export interface QuestionSources {
  readonly given: readonly string[];
  /** What to ask first, or to ask at all where nobody asks. */
  readonly defaults: readonly string[];
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  readonly prompt: string;
  /** Shown once, before the first prompt. */
  readonly hint: string;
  /** How long standard input may stay silent before we take it that nobody is there; default 1,000 ms. */
  readonly patience?: number;
}

export async function* questions(sources: QuestionSources): AsyncGenerator<AskedQuestion> {
  const { given, defaults, input, output, patience = PATIENCE } = sources;
  if (given.length > 0) return yield* given.map(untyped);
  if (input.isTTY && output.isTTY) {
    yield* defaults.slice(0, 1).map(untyped);
    return yield* typed(sources);
  }
  let isHeard = false;
  for await (const question of input.isTTY ? [] : piped(input, patience)) {
    isHeard = true;
    yield untyped(question);
  }
  if (!isHeard) yield* defaults.map(untyped);
}

function untyped(text: string): AskedQuestion {
  return { text, isTyped: false };
}

async function* typed({ input, output, prompt, hint }: QuestionSources): AsyncGenerator<AskedQuestion> {
  const history: string[] = [];
  output.write(hint);
  for (;;) {
    const text = (await readLine(input, output, prompt, history))?.trim();
    if (!text) return;
    history.unshift(text);
    yield { text, isTyped: true };
  }
}

/** One interface for one line: in between, Ctrl-C is the process's and can cancel the turn. */
function readLine(input: NodeJS.ReadStream, output: NodeJS.WriteStream, prompt: string, history: string[]) {
  return new Promise<string | undefined>((resolve) => {
    const line = createInterface({ input, output, history: [...history] });
    line.once("close", () => resolve(undefined));
    line.once("SIGINT", () => line.close());
    line.question(prompt, (answer) => {
      resolve(answer);
      line.close();
    });
  });
}

async function* piped(input: NodeJS.ReadStream, patience: number): AsyncGenerator<string> {
  const reader = createInterface({ input });
  const lines = reader[Symbol.asyncIterator]();
  const first = await Promise.race([lines.next(), sleep(patience, undefined, { ref: false })]);
  if (first === undefined) return reader.close();
  for (let line = first; !line.done; line = await lines.next()) {
    const question = line.value.trim();
    if (question !== "") yield question;
  }
}
