import { parseArgs } from "node:util";

export interface Options {
  readonly questions: readonly string[];
  /** `undefined`: the documentation of the installed packages. */
  readonly docs: string | undefined;
  readonly database: string;
  readonly thread: string | undefined;
  readonly help: boolean;
}

export const HELP = `
Ask questions about the documentation of the installed packages, or of a folder of yours.

  npm run demo                                    a first question, then yours (on a terminal)
  npm run demo -- "How do I …?" "And …?"          these questions, then it ends
  echo "How do I …?" | npm run demo               the same from standard input, one question a line

Options
  --docs <folder>   read the Markdown of this folder; default: of all installed packages
  --db <file>       where threads are kept; default: examples/docs-assistant/.data/agents.db
  --thread <id>     go on with a thread of an earlier run
  --help            this text

With OPENAI_API_KEY or OPENAI_BASE_URL set, that model (OPENAI_MODEL) writes the answers from the passages found.
Otherwise they are put together from the documents' own sentences: no network, no key.
`;

/** @throws TypeError on unknown options */
export function readOptions(args: readonly string[], defaultDatabase: string): Options {
  const { values, positionals } = parseArgs({
    args: args.filter((arg, index) => !(arg === "--" && index === 0)),
    allowPositionals: true,
    options: {
      docs: { type: "string" },
      db: { type: "string" },
      thread: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    questions: positionals.map((question) => question.trim()).filter((question) => question !== ""),
    docs: values.docs,
    database: values.db ?? defaultDatabase,
    thread: values.thread,
    help: values.help,
  };
}
