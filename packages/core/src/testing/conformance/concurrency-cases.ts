import assert from "node:assert/strict";
import { HeddleError } from "../../errors.js";
import { isSettled, type RunRecord } from "../../model/run.js";
import { checkInvariants } from "../check-invariants.js";
import { acceptRun, freshId, setKey } from "../intents.js";
import { seededRandom } from "../seeded-random.js";
import { StorageDriver } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";

const expected = new Set([
  "THREAD_BUSY",
  "LEASE_LOST",
  "RUN_NOT_FOUND",
  "THREAD_NOT_FOUND",
  "RUN_ACTIVE",
  "QUEUE_FULL",
]);

export const concurrencyCases = inGroup("concurrency", {
  async "of many who want an idle thread one gets it"({ driver }) {
    const threadId = freshId("thr");
    const accepts = Array.from({ length: 20 }, () => driver.result(acceptRun({ threadId })));
    const results = await Promise.all(accepts);
    assert.equal(results.filter(({ ok }) => ok).length, 1);
  },

  async "acceptance and settle never leave a queued run on an idle thread"({ driver }) {
    for (let round = 0; round < 10; round++) {
      const run = await driver.start({ threadId: freshId("thr"), agent: `worker${round}` });
      const accept = () => driver.accept({ threadId: run.threadId, whenBusy: "enqueue" });
      await Promise.all([accept(), driver.settle(run), accept()]);
      const thread = await driver.thread(run.threadId as string);
      assert.notEqual(thread.activeRunId, null);
      assert.equal(thread.queueLength, 1);
    }
  },

  async "settle and cancel of one run: one of them ends it"({ driver }) {
    for (let round = 0; round < 10; round++) {
      const run = await driver.start({ threadId: freshId("thr") });
      const [settled, canceled] = await Promise.all([driver.settle(run), driver.cancel(run)]);
      assert.equal(canceled.outcome, settled.status === "canceled" ? "requested" : "late");
    }
  },

  async "two hundred interleaved commits of several callers keep every invariant"({ fixture, storage, clock }) {
    const second = await fixture.reopen?.();
    const callers = [storage, storage, second ?? storage, second ?? storage].map((to) => new StorageDriver(to));
    const random = seededRandom(7);
    let earlier = await checkInvariants(storage);
    let settled = 0;
    for (let round = 0; round < 5; round++) {
      await Promise.all(callers.map((driver) => new Caller(driver, random.fraction).tenActions()));
      await clock.advance(random.fraction() * 20_000);
      earlier = await checkInvariants(storage, earlier);
      settled += [...earlier.runs.values()].filter((run) => isSettled(run.status)).length;
    }
    await second?.close();
    assert.ok(settled > 0, "nothing happened");
  },
});

const threads = ["a", "b", "c", null];

/** Does this and that to a few threads, as several processes would; refusals are part of it. */
class Caller {
  readonly #driver: StorageDriver;
  readonly #random: () => number;
  readonly #held: RunRecord[] = [];

  constructor(driver: StorageDriver, random: () => number) {
    this.#driver = driver;
    this.#random = random;
  }

  async tenActions(): Promise<void> {
    for (let step = 0; step < 10; step++) {
      try {
        await this.#act(Math.floor(this.#random() * 100));
      } catch (error) {
        if (!HeddleError.is(error) || !expected.has(error.code)) throw error;
      }
    }
  }

  async #act(dice: number): Promise<unknown> {
    if (dice < 15) return this.#driver.accept({ threadId: this.#threadId(), whenBusy: "enqueue" });
    if (dice < 25) return this.#driver.accept({ threadId: this.#threadId(), deadline: 5_000 });
    if (dice < 30) return this.#driver.accept({ threadId: this.#threadId(), delay: 3_000 });
    if (dice < 50) return this.#held.push(...(await this.#driver.claim(2)));
    if (dice < 80) return this.#drive(dice);
    return this.#disturb(dice);
  }

  async #drive(dice: number): Promise<unknown> {
    const run = this.#held.shift();
    if (run === undefined) return;
    if (dice < 65) return this.#driver.settle(run, { checkpoint: setKey("k", 1) });
    if (dice < 70) return this.#driver.fail(run);
    if (dice < 75) return this.#driver.release(run, { why: "retry", delay: 1_000 });
    this.#held.push(run);
    return this.#driver.record(run, { checkpoint: setKey("m", 2), events: [{ type: "log", payload: "1" }] });
  }

  async #disturb(dice: number): Promise<unknown> {
    const runs = await this.#driver.storage.runs.list({ sortBy: "createdAt", order: "desc", limit: 30 });
    const run = this.#pick(runs);
    if (run === undefined) return;
    if (dice < 87) return this.#driver.cancel(run, { grace: 1_000 });
    if (dice < 95) return this.#driver.tend(run);
    if (dice < 98) return this.#driver.deleteRun(run);
    return run.threadId === null ? undefined : this.#driver.deleteThread(run.threadId);
  }

  #threadId(): string | null {
    return this.#pick(threads) ?? null;
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }
}
