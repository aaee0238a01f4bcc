import { mkdir } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { createEngine, type ThreadHandle } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { docsAssistant } from "./agent.js";
import { modelFromEnvironment, modelWriter } from "./answer/model.js";
import { extractiveWriter } from "./answer/writer.js";
import { ask } from "./chat.js";
import { defaultQuestions } from "./default-questions.js";
import { openLibrary } from "./open-library.js";
import { HELP, type Options, readOptions } from "./options.js";
import { questions } from "./questions.js";
import { type Screen, screenOn } from "./terminal/screen.js";
import { showHistory } from "./terminal/show-history.js";

const HOME = join(import.meta.dirname, "..");
const DEFAULT_DATABASE = join(HOME, ".data", "agents.db");
/** Where the user stands. npm runs scripts in the package's own folder. */
const HERE = process.env["INIT_CWD"] ?? process.cwd();

async function main(options: Options, screen: Screen): Promise<void> {
  const { line, paint } = screen;
  line(`\n${paint("bold", "Docs assistant")} ${paint("dim", "— ask the documentation on this disk")}\n`);

  const folder = options.docs === undefined ? undefined : resolve(HERE, options.docs);
  const library = await openLibrary(folder, HOME, screen);
  const model = modelFromEnvironment(process.env);
  const writer = model === undefined ? extractiveWriter(library) : modelWriter(model);
  const agent = docsAssistant({ library, writer });

  const database = resolve(HERE, options.database);
  await mkdir(dirname(database), { recursive: true });
  const engine = createEngine({ storage: sqliteStorage(database), agents: [agent] });
  await engine.start();
  try {
    const thread = await (options.thread === undefined
      ? engine.threads.create()
      : engine.threads.getOrCreate(options.thread));
    line(paint("dim", `  answers   ${writer.name}`));
    line(paint("dim", `  thread    ${await describe(thread)}`));
    line(paint("dim", `  database  ${relative(HERE, database)}`));
    const asked = questions({
      given: options.questions,
      defaults: defaultQuestions(library),
      input: process.stdin,
      output: process.stdout,
      prompt: `\n${paint(["bold", "green"], "❯")} `,
      hint: paint("dim", "\n  Now your question. An empty line ends.\n"),
    });
    for await (const question of asked) await ask(question, { thread, agent, screen });
    await showHistory({ engine, thread, database, command: commandFor(thread.id, options), screen });
  } finally {
    await engine.close();
  }
}

/** With the folder and the database of this run. */
function commandFor(thread: string, { docs, database }: Options): string {
  const folder = docs === undefined ? "" : ` --docs ${docs}`;
  const file = database === DEFAULT_DATABASE ? "" : ` --db ${database}`;
  return `npm run demo -- --thread ${thread}${folder}${file}`;
}

async function describe(thread: ThreadHandle): Promise<string> {
  const checkpoints = await thread.history();
  return `${thread.id}, ${checkpoints.length === 0 ? "new" : `goes on after ${checkpoints.length} checkpoints`}`;
}

// Whoever reads us has read enough (`npm run demo | head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  const options = readOptions(process.argv.slice(2), DEFAULT_DATABASE);
  if (options.help) process.stdout.write(HELP);
  else await main(options, screenOn(process.stdout));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
