/** What every test starts from: an engine on a fresh storage, with virtual time, torn down and audited afterwards. */

import type { HeddleErrorCode } from "@heddle/core";
import { HeddleError } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import type { ManualClock, TestEngine, TestEngineOptions } from "@heddle/core/testing";
import { checkInvariants, createTestEngine, manualClock } from "@heddle/core/testing";
import { expect, onTestFinished } from "vitest";
import type { Database, StorageKind } from "./storages.js";

export type EngineChoices = Omit<TestEngineOptions, "storage" | "clock" | "seed">;

export interface World extends TestEngine {
  readonly database: Database;
  /** Everything that can happen without time passing has happened. */
  quiet(): Promise<void>;
  /** Let `ms` of virtual time pass, and all that follows from it happen. */
  advance(ms: number): Promise<void>;
  /** Another engine on the same data, at the same clock. `storage` stands in for its connection. */
  join(options?: EngineChoices & { readonly storage?: Storage }): Promise<World>;
}

export interface WorldOptions extends EngineChoices {
  /** The test prunes checkpoints: runs may lack their final ones. */
  readonly pruned?: boolean;
  /** Put something before the storage: a wrapper that injects faults. */
  readonly wrap?: (storage: Storage) => Storage;
}

/** After the test all engines are closed, and what is stored must keep every invariant of DESIGN section 3. */
export async function setUp(
  kind: StorageKind,
  { wrap, pruned = false, ...options }: WorldOptions = {},
): Promise<World> {
  const database = await kind.create();
  const clock = manualClock();
  const engines: TestEngine[] = [];
  onTestFinished(async () => {
    for (const engine of engines) await engine.close();
    await audit(database, clock, pruned);
    await database.cleanup();
  });
  // Virtual hours are thousands of polls, and a server answers each in real time. Hints and due times come without them.
  const pace = kind.takesTurns ? {} : { poll: 10_000 };
  const enter = async (choices: EngineChoices, storage: Storage): Promise<World> => {
    const test = await createTestEngine({ ...pace, ...choices, storage, clock, seed: engines.length + 1 });
    engines.push(test);
    const join: World["join"] = (next = {}) => enter(next, next.storage ?? database.connect());
    return { ...test, database, join, ...timeOf(test, engines) };
  };
  return enter(options, wrap?.(database.storage) ?? database.storage);
}

async function audit(database: Database, clock: ManualClock, pruned: boolean): Promise<void> {
  const storage = database.connect();
  await storage.open({ clock });
  try {
    await checkInvariants(storage, undefined, { pruned });
  } finally {
    await storage.close();
  }
}

function timeOf({ clock }: TestEngine, engines: readonly TestEngine[]): Pick<World, "quiet" | "advance"> {
  const quiet = async (): Promise<void> => {
    // An engine whose storage does not answer is never quiet: it is not waited for.
    for (let turns = 0, quietTurns = 0; quietTurns < 5 && turns < 500; turns++) {
      await clock.settle();
      quietTurns = engines.every(({ engine }) => engine.quiet) ? quietTurns + 1 : 0;
    }
  };
  const advance = async (ms: number): Promise<void> => {
    await quiet();
    await clock.advance(ms);
    await quiet();
  };
  return { quiet, advance };
}

/** The HeddleError that `work` fails with; its code must be `code`. */
export async function refusal(code: HeddleErrorCode, work: () => unknown): Promise<HeddleError> {
  const error = await failure(work);
  expect(HeddleError.is(error), `a HeddleError, not ${String(error)}`).toBe(true);
  expect((error as HeddleError).code, (error as HeddleError).message).toBe(code);
  return error as HeddleError;
}

/** What `work` throws or rejects with. */
export async function failure(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}

/** Whether the promise is still open, after a turn of the loop. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const close = (): void => {
    pending = false;
  };
  promise.then(close, close);
  await new Promise((resolve) => setImmediate(resolve));
  return pending;
}
