/** Where a kill shall hit, and the storage and the database driver that wait for the moment. */

import type { Intent, Storage } from "@heddle/core/storage";
import BetterSqlite3 from "better-sqlite3";
import { killMyself, tell } from "../support/tell.js";

export const phases = ["accept", "claim", "agent", "settle"] as const;
export type Phase = (typeof phases)[number];

/**
 * `before`, `inside`, `after` a transaction of the phase: exactly, by the process itself. `around`: by the proof, a
 * random while after the phase began.
 */
export const places = ["before", "inside", "after", "around"] as const;
export type Place = (typeof places)[number];

export interface Aim {
  readonly phase: Phase;
  readonly place: Place;
  /** Let so many chances pass. */
  readonly skip: number;
  /** Of a transaction's writing statements, the one that is not reached. */
  readonly statement: number;
}

export type AimTold =
  | { readonly type: "dying"; readonly phase: Phase; readonly where: string }
  | { readonly type: "in_reach"; readonly phase: Phase }
  | { readonly type: "transaction"; readonly open: boolean };

export class Shooter {
  #aim: Aim | undefined;
  #skip = 0;
  #statementsLeft: number | undefined;
  /** Tell of every transaction: the proof wants to know what its kill interrupted. */
  #chatty = false;

  take(aim: Aim): void {
    this.#aim = aim;
    this.#skip = aim.skip;
  }

  /** In an agent's code. */
  duringAgent(): void {
    if (this.#aim?.place === "before" || this.#aim?.place === "after") this.#reach("agent", "in the agent's code");
    if (this.#aim?.place === "around") this.#reach("agent", "");
  }

  watch<Host>(storage: Storage<Host>): Storage<Host> {
    this.#hookStatements();
    const { name, deltas, runs, threads, checkpoints, events, lineages, work } = storage;
    return {
      ...{ name, deltas, runs, threads, checkpoints, events, lineages, work },
      open: (context) => storage.open(context),
      close: () => storage.close(),
      transaction: (body) => storage.transaction(body),
      commit: (intents) => this.#commit(storage as Storage, intents),
    };
  }

  async #commit(storage: Storage, intents: readonly Intent[]): ReturnType<Storage["commit"]> {
    const { phase, place } = this.#aim ?? {};
    const hit = phase !== undefined && intents.some((intent) => phasesOf(intent).includes(phase));
    const outside = hit && phase !== "agent";
    if (outside && place === "before") this.#reach(phase, "before the transaction");
    if (outside && place === "around") this.#reach(phase, "");
    const inside = hit && place === "inside" && this.#skip-- <= 0;
    if (inside) this.#statementsLeft = this.#aim?.statement;
    const results = await this.#announced(() => storage.commit(intents));
    if (outside && place === "after") this.#reach(phase, "after the transaction");
    return results;
  }

  async #announced<Result>(transaction: () => Promise<Result>): Promise<Result> {
    if (!this.#chatty) return transaction();
    tell<AimTold>({ type: "transaction", open: true });
    const result = await transaction();
    tell<AimTold>({ type: "transaction", open: false });
    return result;
  }

  #reach(phase: Phase, where: string): void {
    if (this.#aim?.phase !== phase || this.#skip-- > 0) return;
    if (this.#aim.place !== "around") this.#die(phase, where);
    this.#aim = undefined;
    this.#chatty = true;
    tell<AimTold>({ type: "in_reach", phase });
  }

  #die(phase: Phase, where: string): void {
    tell<AimTold>({ type: "dying", phase, where });
    killMyself();
  }

  /** All of a transaction's writing statements come past here; the last is its commit, which no aim goes beyond. */
  #hookStatements(): void {
    const probe = new BetterSqlite3(":memory:");
    const prototype = Object.getPrototypeOf(probe.prepare("select 1")) as { run(...params: unknown[]): unknown };
    probe.close();
    const { run } = prototype;
    const beforeStatement = (sql: string): void => this.#beforeStatement(sql);
    prototype.run = function (this: BetterSqlite3.Statement, ...params: unknown[]) {
      beforeStatement(this.source);
      return run.apply(this, params);
    };
  }

  #beforeStatement(sql: string): void {
    if (this.#statementsLeft === undefined || sql.startsWith("begin")) return;
    const phase = this.#aim?.phase ?? "agent";
    if (sql === "commit") this.#die(phase, "inside, before its commit");
    if (this.#statementsLeft-- === 0) this.#die(phase, "inside the transaction");
  }
}

function phasesOf(intent: Intent): readonly Phase[] {
  switch (intent.kind) {
    case "accept_run":
      return intent.claim === undefined ? ["accept"] : ["accept", "claim"];
    case "claim_runs":
      return ["claim"];
    case "record_progress":
      return ["agent"];
    case "settle_run":
    case "release_run":
      return ["settle"];
    default:
      return [];
  }
}
