/**
 * The conformance suite is data: cases with a group, a name and a function, and no test framework. An adapter passes by
 * running each case in its own:
 *
 * ```ts
 * for (const { group, name, run } of storageConformance) {
 *   test(`${group}: ${name}`, async (context) => {
 *     const outcome = await run(await fixture());
 *     if (outcome !== undefined) context.skip(outcome.skipped);
 *   });
 * }
 * ```
 */

import type { Storage } from "../../ports/storage.js";
import { checkInvariants } from "../check-invariants.js";
import type { ManualClock } from "../manual-clock.js";
import { StorageDriver } from "../storage-driver.js";

/** What an adapter hands to each case: made anew for every one. */
export interface StorageFixture {
  /** The storage's clock: leases, delays and deadlines follow it. */
  readonly clock: ManualClock;
  /** A new, empty, open storage. The case closes it. */
  open(): Promise<Storage>;
  /** Another open connection to what `open` returned, as a second process would have; where there can be one. */
  reopen?(): Promise<Storage>;
  /** A transaction as the host itself begins it, in the database that `open` made; where the storage has `adopt`. */
  beginForeign?(): Promise<ForeignTransaction>;
}

export interface ForeignTransaction {
  /** What the host hands in as `{ tx }`. */
  readonly tx: unknown;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Release what it took; rolled back where it is open still. */
  end(): Promise<void>;
}

/** A case that cannot hold for this storage says why. */
export interface Skipped {
  readonly skipped: string;
}

export interface ConformanceCase {
  readonly group: string;
  readonly name: string;
  run(fixture: StorageFixture): Promise<Skipped | undefined>;
}

export interface CaseContext {
  readonly fixture: StorageFixture;
  readonly storage: Storage;
  readonly driver: StorageDriver;
  readonly clock: ManualClock;
}

type CaseBody = ((context: CaseContext) => Promise<void>) | ((context: CaseContext) => Promise<Skipped | undefined>);

/** Cases by name. Each gets an open storage, and whatever it did there must leave the invariants whole. */
export function inGroup(
  group: string,
  bodies: Readonly<Record<string, CaseBody>>,
  options: { readonly pruned?: boolean } = {},
): readonly ConformanceCase[] {
  const cases = Object.entries(bodies);
  return cases.map(([name, body]) => ({ group, name, run: (fixture) => runCase(fixture, body, options) }));
}

async function runCase(
  fixture: StorageFixture,
  body: CaseBody,
  options: { readonly pruned?: boolean },
): Promise<Skipped | undefined> {
  const storage = await fixture.open();
  try {
    const outcome = await body({ fixture, storage, driver: new StorageDriver(storage), clock: fixture.clock });
    await checkInvariants(storage, undefined, options);
    return outcome ?? undefined;
  } finally {
    await storage.close();
  }
}
