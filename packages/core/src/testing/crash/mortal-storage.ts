/**
 * A mortal process's connection to a storage: where the process dies at a named point. Before one, the commit is carried
 * out in a transaction, which is rolled back when it turns out to reach the point; so nothing of it was written, as when
 * a connection is lost. After one, the commit is done and its answer never comes.
 */

import { HeddleError } from "../../errors.js";
import type { Intent } from "../../model/intents/intent.js";
import type { DeltaRelay, IntentResult, Storage, StorageContext, StorageTransaction } from "../../ports/storage.js";
import { isUnknownOutcome } from "../../runtime/committer.js";
import type { Committed } from "../intercepted-storage.js";
import { InterceptedStorage } from "../intercepted-storage.js";
import type { CrashPlan } from "./crash-plan.js";
import type { Occurrence } from "./crash-point.js";
import { occurrencesOf } from "./crash-point.js";
import type { MortalProcess } from "./mortal-process.js";

/** Rolls a transaction back. */
class Died extends Error {}

export class MortalStorage extends InterceptedStorage {
  readonly relay?: DeltaRelay;
  readonly adopt?: NonNullable<Storage["adopt"]>;
  readonly lookAgainAfter?: number;
  readonly #context: StorageContext;
  readonly #process: MortalProcess;
  readonly #plan: CrashPlan;
  readonly #underWay = new Set<Promise<unknown>>();
  #timesOpen = 0;

  /** @param context with the clock of all processes: others may use the storage when this one is dead */
  constructor(inner: Storage, context: StorageContext, process: MortalProcess, plan: CrashPlan) {
    super(inner);
    this.#context = context;
    this.#process = process;
    this.#plan = plan;
    if (inner.relay !== undefined) this.relay = this.#mortalRelay(inner.relay);
    if (inner.adopt !== undefined) this.adopt = (foreign) => this.#adopted(foreign);
    if ("lookAgainAfter" in inner) {
      Object.defineProperty(this, "lookAgainAfter", { get: () => inner.lookAgainAfter });
    }
  }

  override open(): Promise<void> {
    return this.call("open", async () => {
      await this.inner.open(this.#context);
      this.#timesOpen++;
    });
  }

  override close(): Promise<void> {
    return this.call("close", () => this.#closeOnce());
  }

  /** What the system does for a process that died: what it had sent comes to its end, what it had opened is closed. */
  async bury(): Promise<void> {
    await this.silence();
    while (this.#timesOpen > 0) await this.#closeOnce();
  }

  /** Resolves when nothing that was sent before the death is under way any more. */
  async silence(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  override commit(intents: readonly Intent[]): Promise<readonly IntentResult[]> {
    return this.call("commit", async () => {
      const tried = this.#plan.awaits("before") ? await this.#commitUnlessItStrikes(intents) : undefined;
      if (tried === undefined && this.#process.isDead) throw new Died();
      const results = tried ?? (await this.inner.commit(intents));
      this.#strikeAfter(intents.flatMap((intent, index) => reachedBy(intent, results[index])));
      return results;
    });
  }

  override transaction<Result>(body: (tx: StorageTransaction<unknown>) => Promise<Result>): Promise<Committed<Result>> {
    return this.call("transaction", async () => {
      const reached: Occurrence[] = [];
      const committed = await this.inner.transaction(async (tx) => {
        const result = await this.#orDied(body(this.#heard(tx, reached)));
        this.#strikeBefore(reached);
        return result;
      });
      this.#strikeAfter(reached);
      return committed;
    });
  }

  protected override call<Answer>(_port: string, carryOut: () => Promise<Answer>): Promise<Answer> {
    return this.#process.inside(() => {
      const work = carryOut();
      this.#underWay.add(work);
      const over = (): void => void this.#underWay.delete(work);
      work.then(over, over);
      return work;
    });
  }

  protected override watch(hint: () => void): () => void {
    const stop = this.inner.work.watch(hint);
    const forget = this.#process.onDeath(stop);
    return () => {
      forget();
      stop();
    };
  }

  async #closeOnce(): Promise<void> {
    if (this.#timesOpen === 0) return;
    this.#timesOpen--;
    await this.inner.close();
  }

  /** `undefined`: it died, or not all of it can be done in one transaction: each intent has to be answered for itself. */
  async #commitUnlessItStrikes(intents: readonly Intent[]): Promise<readonly IntentResult[] | undefined> {
    try {
      const { result, effects } = await this.inner.transaction(async (tx) => {
        const results: IntentResult[] = [];
        for (const intent of intents) results.push(await resultOf(tx, intent));
        this.#strikeBefore(intents.flatMap((intent, index) => reachedBy(intent, results[index])));
        return results;
      });
      return withEffects(result, effects);
    } catch (error) {
      if (isUnknownOutcome(error)) throw error;
      return undefined;
    }
  }

  #strikeBefore(reached: readonly Occurrence[]): void {
    if (!this.#plan.strikes("before", reached)) return;
    this.#process.kill();
    throw new Died();
  }

  #strikeAfter(reached: readonly Occurrence[]): void {
    if (this.#plan.strikes("after", reached)) this.#process.kill();
  }

  /** A transaction does not outlive its process, whatever its body waits for. */
  async #orDied<Result>(body: Promise<Result>): Promise<Result> {
    let forget = (): void => {};
    const died = new Promise<never>((_, reject) => {
      forget = this.#process.onDeath(() => reject(new Died()));
    });
    died.catch(() => {});
    return Promise.race([body, died]).finally(forget);
  }

  #heard(tx: StorageTransaction<unknown>, reached: Occurrence[]): StorageTransaction<unknown> {
    const apply = async (intent: Intent) => {
      const value = await tx.apply(intent);
      reached.push(...occurrencesOf({ intent, value }));
      return value;
    };
    return { host: tx.host, apply: (intent) => this.#process.inside(() => apply(intent)) };
  }

  /** The host's own transaction: we do not see its commit, so no point is in it. */
  #adopted(foreign: unknown): StorageTransaction<unknown> | undefined {
    const tx = this.inner.adopt?.(foreign);
    return tx && { host: tx.host, apply: (intent) => this.#process.inside(() => tx.apply(intent)) };
  }

  #mortalRelay(relay: DeltaRelay): DeltaRelay {
    return {
      send: (engine, frame) => {
        if (!this.#process.isDead) relay.send(engine, frame);
      },
      follow: (engine, stream, hear) => {
        const stop = relay.follow(engine, stream, hear);
        const forget = this.#process.onDeath(stop);
        return () => {
          forget();
          stop();
        };
      },
    };
  }
}

/** A refusal is an answer. Anything else has spoilt the transaction. */
async function resultOf(tx: StorageTransaction<unknown>, intent: Intent): Promise<IntentResult> {
  try {
    return { ok: true, value: await tx.apply(intent), effects: [] };
  } catch (error) {
    if (HeddleError.is(error) && !error.code.startsWith("STORAGE_")) return { ok: false, error };
    throw error;
  }
}

/** A transaction tells of all its intents at once, in order. */
function withEffects(
  results: readonly IntentResult[],
  effects: Committed<unknown>["effects"],
): readonly IntentResult[] {
  const first = results.findIndex(({ ok }) => ok);
  return results.map((result, index) => (result.ok && index === first ? { ...result, effects } : result));
}

function reachedBy(intent: Intent, result: IntentResult | undefined): readonly Occurrence[] {
  return result?.ok ? occurrencesOf({ intent, value: result.value }) : [];
}
