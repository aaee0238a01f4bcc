import assert from "node:assert/strict";
import { HeddleError, type HeddleErrorCode } from "../../errors.js";
import type { RunRecord } from "../../model/run.js";
import type { StorageDriver } from "../storage-driver.js";

/** `promise` rejects with this code. Returns the error, for a look at its details. */
export async function refused(promise: Promise<unknown>, code: HeddleErrorCode): Promise<HeddleError> {
  try {
    await promise;
  } catch (error) {
    if (HeddleError.is(error, code)) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: `expected ${code}, but nothing was refused` });
}

/** As `refused`; and runs, their events and threads are afterwards what they were before. */
export async function refusedUnchanged(
  driver: StorageDriver,
  attempt: () => Promise<unknown>,
  code: HeddleErrorCode,
): Promise<HeddleError> {
  const before = await readAll(driver);
  const error = await refused(attempt(), code);
  assert.deepEqual(await readAll(driver), before, `${code} changed something`);
  return error;
}

export async function readAll({ storage }: StorageDriver) {
  const page = { sortBy: "createdAt", order: "asc", limit: 1_000 } as const;
  const [runs, threads] = await Promise.all([storage.runs.list(page), storage.threads.list(page)]);
  const streams = [...runs.map((run) => `r:${run.id}`), ...threads.map((thread) => `t:${thread.id}`)];
  const read = (stream: string) => storage.events.read({ stream, after: 0, limit: 1_000 });
  return { runs, threads, events: await Promise.all(streams.map(read)) };
}

/** Compare some fields of a record. */
export function assertFields<Row extends object>(row: Row, expected: Partial<Row>): void {
  const actual = Object.fromEntries(Object.keys(expected).map((key) => [key, row[key as keyof Row]]));
  assert.deepEqual(actual, expected);
}

export function idsOf(rows: readonly { readonly id: string }[]): string[] {
  return rows.map(({ id }) => id);
}

/** An object from a JSON text column; fails on `null`. */
export function json(text: string | null): Record<string, unknown> {
  assert.notEqual(text, null);
  return JSON.parse(text as string) as Record<string, unknown>;
}

/** The types of a stream's events, in order. */
export function typesOf(events: readonly { readonly type: string }[]): string[] {
  return events.map(({ type }) => type);
}

export function isPresent(run: RunRecord | undefined): asserts run is RunRecord {
  assert.notEqual(run, undefined, "expected a run");
}
