import { parseArgs } from "node:util";
import { positive } from "../../scripts/lib/read-options.mjs";

export interface SoakOptions {
  readonly storage: "memory" | "sqlite" | "postgres";
  readonly minutes: number;
  /** Pieces of work begun per second. */
  readonly rate: number;
}

export const usage = `npm run soak -- [options]

  --minutes M     how long (default 60)
  --storage S     sqlite, postgres or memory (default sqlite)
  --rate N        pieces of work begun per second (default 50)

Exit code 1: something leaks, or the database grows otherwise than predicted.`;

/** `undefined`: help was asked for. */
export function parseOptions(args: readonly string[]): SoakOptions | undefined {
  const { values } = parseArgs({
    // pnpm and npm hand the separator on in some versions.
    args: args.filter((argument) => argument !== "--"),
    options: {
      minutes: { type: "string", default: "60" },
      storage: { type: "string", default: "sqlite" },
      rate: { type: "string", default: "50" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { storage } = values;
  if (storage !== "memory" && storage !== "sqlite" && storage !== "postgres")
    throw new Error(`--storage is sqlite, postgres or memory; it was "${storage}"`);
  return { storage, minutes: positive("minutes", values.minutes), rate: positive("rate", values.rate) };
}
