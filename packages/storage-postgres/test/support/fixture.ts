import { createEngine, defineAgent, type Engine, type EngineOptions } from "@heddle/core";
import type { Clock, Storage } from "@heddle/core/storage";
import { type ForeignTransaction, manualClock, type StorageFixture } from "@heddle/core/testing";
import { type PostgresStorage, type PostgresStorageOptions, postgresStorage } from "@heddle/storage-postgres";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { onTestFinished } from "vitest";

/** What conformance cases want: a clock that stands still, an empty schema, a second storage, the host's transactions. */
export function fixtureOf(
  options: PostgresStorageOptions & { readonly schema: string },
  beginForeign: () => Promise<ForeignTransaction>,
): StorageFixture {
  const clock = manualClock();
  const open = async (): Promise<Storage> => {
    const storage = postgresStorage(options);
    await storage.open({ clock });
    return storage;
  };
  return { clock, open, reopen: open, beginForeign };
}

export async function beginWithClient(connectionString: string): Promise<ForeignTransaction> {
  const tx = new pg.Client({ connectionString });
  await tx.connect();
  await tx.query("begin");
  return {
    tx,
    commit: async () => void (await tx.query("commit")),
    rollback: async () => void (await tx.query("rollback")),
    end: () => tx.end(),
  };
}

export async function beginWithKysely(connectionString: string): Promise<ForeignTransaction> {
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString }) }) });
  const tx = await db.startTransaction().execute();
  return {
    tx,
    commit: () => tx.commit().execute(),
    rollback: () => tx.rollback().execute(),
    end: async () => {
      if (!tx.isCommitted && !tx.isRolledBack) await tx.rollback().execute();
      await db.destroy();
    },
  };
}

/** An open storage on the real clock, closed after the test. */
export async function openStorage(options: PostgresStorageOptions): Promise<PostgresStorage> {
  const storage = postgresStorage(options);
  await storage.open({ clock: realClock });
  onTestFinished(() => storage.close());
  return storage;
}

export const realClock = {
  isSystemClock: true,
  now: () => Date.now(),
  setTimer: (delay: number, fire: () => void) => {
    const timer = setTimeout(fire, delay);
    return () => clearTimeout(timer);
  },
  turn: () => new Promise<void>((resolve) => setImmediate(resolve)),
} as const;

/** As on a machine whose clock is wrong by `ahead` ms. */
export function skewedClock(ahead: number): Clock {
  return { ...realClock, now: () => Date.now() + ahead };
}

export const echo = defineAgent({
  name: "echo",
  async run({ input }) {
    return { output: input };
  },
});

export interface Started {
  readonly engine: Engine;
  readonly storage: PostgresStorage;
  /** What went wrong in the background. */
  readonly errors: unknown[];
}

/** A started engine on the real clock, closed after the test. */
export async function startEngine(
  options: PostgresStorageOptions,
  engineOptions: Partial<EngineOptions> = {},
): Promise<Started> {
  const storage = postgresStorage(options);
  const engine = createEngine({ storage, agents: [echo], ...engineOptions });
  const errors: unknown[] = [];
  engine.on("error", ({ error }) => errors.push(error));
  await engine.start();
  onTestFinished(() => engine.close({ grace: 0 }));
  return { engine, storage, errors };
}

/** Resolves when `holds`, in real time. */
export async function until(holds: () => boolean | Promise<boolean>, within = 10_000): Promise<void> {
  const end = performance.now() + within;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${within} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
