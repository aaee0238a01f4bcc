/** The thread at the end: its checkpoints, oldest first, and what each of them cost. */
import type { Checkpoint, Engine, Run, ThreadHandle } from "@heddle/core";
import { databaseBytes } from "../database-bytes.js";
import type { Screen } from "./screen.js";
import { table } from "./table.js";
import { head } from "./text-width.js";
import { bytes, counted, milliseconds } from "./units.js";

const COLUMNS = [
  { title: "checkpoint" },
  { title: "question" },
  { title: "values", right: true },
  { title: "stored", right: true },
  { title: "time", right: true },
];
const NARROWEST_QUESTION = 16;
const OTHER_COLUMNS = 54;

export interface HistoryOptions {
  readonly engine: Engine;
  readonly thread: ThreadHandle;
  readonly database: string;
  /** The command that continues the thread. */
  readonly command: string;
  readonly screen: Screen;
}

export async function showHistory({ engine, thread, database, command, screen }: HistoryOptions): Promise<void> {
  const { line, paint, width } = screen;
  const checkpoints = [...(await thread.history())].reverse();
  const { items } = await engine.runs.list({ threadId: thread.id, limit: 100 });
  const runs = new Map(items.map((run) => [run.id, run]));
  const rows = checkpoints.map((checkpoint) => row(checkpoint, runs.get(checkpoint.runId ?? ""), width));
  const stored = checkpoints.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const total = ["total", counted(rows.length, "checkpoint"), "", bytes(stored), ""];
  const [titles = "", ...lines] = table(COLUMNS, [...rows, total]);

  line(`\n${paint("bold", "History of the thread")} ${paint("dim", thread.id)}\n`);
  line(`  ${paint("dim", titles)}`);
  for (const text of lines.slice(0, -1)) line(`  ${text}`);
  line(`  ${paint("bold", lines.at(-1) ?? "")}\n`);
  line(paint("dim", "  values: all that the thread remembers · stored: what the checkpoint added to it"));
  line(
    paint("dim", `  the database has ${bytes(await databaseBytes(database))} with all its threads and SQLite's log\n`),
  );
  line(`  Go on with it: ${paint("bold", command)}\n`);
}

function row(checkpoint: Checkpoint, run: Run | undefined, width: number): string[] {
  const { valuesBytes, storedBytes } = checkpoint;
  return [
    checkpoint.id.slice(-8),
    head(questionOf(run), Math.max(NARROWEST_QUESTION, width - OTHER_COLUMNS)),
    valuesBytes === undefined ? "unchanged" : bytes(valuesBytes),
    bytes(storedBytes),
    run !== undefined && "settledAt" in run ? milliseconds(run.settledAt.getTime() - run.createdAt.getTime()) : "",
  ];
}

function questionOf(run: Run | undefined): string {
  const question = (run?.input as { readonly question?: unknown } | undefined)?.question;
  return typeof question === "string" ? question : "";
}
