/** What a chaos run is told. The programs get the same, as JSON. */

import { parseArgs } from "node:util";

export type StorageName = "sqlite" | "postgres";

export interface ChaosOptions {
  readonly storage: StorageName;
  /** Load and faults end after so many minutes, or when so many runs were accepted. */
  readonly minutes: number;
  readonly runs: number;
  readonly threads: number;
  readonly workers: number;
  readonly clients: number;
  /** Of the load: what clients ask for and agents do. What the faults meet is chance. */
  readonly seed: number;
  /** ms */
  readonly lease: number;
  /** Between two restarts of the server, ms. */
  readonly restartEvery: number;
}

/** `runs` without a bound. */
export const unbounded = Number.MAX_SAFE_INTEGER;

/** Attempts at once in one worker. */
export const slots = 6;
/** Clients in one process, each of which waits for the answer to its last command. */
export const lanesPerClient = 4;
/** Calls that one client process leaves open: waiters and readers. */
export const openCallsPerClient = 120;

const defaults = {
  postgres: { workers: 8 },
  sqlite: { workers: 4 },
} as const;

export const usage = `npm run chaos -- [options]

  --storage S         sqlite or postgres (default sqlite)
  --minutes M         load and faults end after M minutes (default 10) …
  --runs N            … or when N runs were accepted (default 2000; 0: no bound)
  --threads N         on so many threads (default 50)
  --workers N         worker processes (default 8 on postgres, 4 on sqlite)
  --clients N         client processes (default 2)
  --seed N            of the load (default: by chance)
  --lease MS          of the workers (default 3000)
  --restart-every MS  the PostgreSQL server is stopped in immediate mode and started again (default 5000)
  --check FOLDER      judge a kept history once more

Exit code 1: a promise was broken. The history is kept then.`;

/** `undefined`: help was asked for; a text: the folder of a history. */
export function parseOptions(args: readonly string[]): ChaosOptions | string | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      storage: { type: "string", default: "sqlite" },
      minutes: { type: "string", default: "10" },
      runs: { type: "string", default: "2000" },
      threads: { type: "string", default: "50" },
      workers: { type: "string" },
      clients: { type: "string", default: "2" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
      lease: { type: "string", default: "3000" },
      "restart-every": { type: "string", default: "5000" },
      check: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  if (values.check !== undefined) return values.check;
  const { storage } = values;
  if (storage !== "sqlite" && storage !== "postgres")
    throw new Error(`--storage is sqlite or postgres, not ${storage}`);
  return {
    storage,
    minutes: number("minutes", values.minutes, 0.01),
    runs: number("runs", values.runs, 0) || unbounded,
    threads: number("threads", values.threads, 1),
    workers: number("workers", values.workers ?? String(defaults[storage].workers), 1),
    clients: number("clients", values.clients, 1),
    seed: number("seed", values.seed, 0),
    lease: number("lease", values.lease, 300),
    restartEvery: number("restart-every", values["restart-every"], 500),
  };
}

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text !== "" && value >= least) return value;
  throw new Error(`--${name} is a number, at least ${least}; it was "${text}"`);
}
