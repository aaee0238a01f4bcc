/**
 * The same commands give the same observable results on every storage: random sequences are played on all of them in
 * lockstep, and after each step all that a user can see is compared, and every invariant of DESIGN section 3 is checked.
 * Only generated ids may differ; the clocks are manual, so times do not.
 */

import type { BusyStrategy, Json, JsonObject, RunHandle, ThreadHandle } from "@heddle/core";
import { defineAgent, HeddleError } from "@heddle/core";
import type { StorageSnapshot } from "@heddle/core/testing";
import { checkInvariants } from "@heddle/core/testing";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { read } from "./frames.js";
import type { World } from "./set-up.js";
import { setUp } from "./set-up.js";
import { size } from "./size.js";
import type { StorageKind } from "./storages.js";
import { closeDatabases, storages } from "./storages.js";

afterAll(closeDatabases);

type How = "succeed" | "fail" | "hang" | "checkpoint and hang" | "fail once" | "return rubbish" | "append";

type Action =
  | {
      readonly do: "create";
      readonly thread: string;
      readonly values: JsonObject | null;
      readonly ifExists: "fail" | "return";
    }
  | {
      readonly do: "start";
      readonly thread: string | null;
      readonly how: How;
      readonly whenBusy: BusyStrategy | null;
      readonly delay: number;
      readonly deadline: number | null;
      readonly key: string | null;
      readonly priority: number;
      readonly create: boolean;
      readonly onCompletion: "keep" | "delete";
    }
  | { readonly do: "release"; readonly run: number; readonly fail: boolean }
  | { readonly do: "cancel"; readonly run: number; readonly grace: number; readonly rollback: boolean }
  | { readonly do: "cancel all"; readonly thread: string }
  | { readonly do: "delete run"; readonly run: number }
  | { readonly do: "advance"; readonly ms: number }
  | {
      readonly do: "update";
      readonly thread: string;
      readonly title: string | null;
      readonly metadata: JsonObject;
      readonly archived: boolean;
      readonly whenBusy: BusyStrategy | null;
    }
  | { readonly do: "copy"; readonly thread: string; readonly to: string }
  | { readonly do: "delete thread"; readonly thread: string }
  | { readonly do: "list"; readonly status: "idle" | "busy" | "error"; readonly limit: number; readonly tag: number }
  | { readonly do: "restart" };

// Times that do not meet: of two things that fall due in the same ms, either may come first.
const threads = ["a", "b", "a%", "😀"];
const thread = fc.constantFrom(...threads);
const busyStrategies = ["reject", "enqueue", "interrupt", "rollback", "steer"] as const;
const small = fc.dictionary(
  fc.constantFrom("x", "y", "list"),
  fc.constantFrom<Json>(0, 1, "text", [1, 2], { deep: true }),
  { maxKeys: 2 },
) as fc.Arbitrary<JsonObject>;
const how = fc.constantFrom<How>(
  "succeed",
  "fail",
  "hang",
  "hang",
  "checkpoint and hang",
  "fail once",
  "return rubbish",
  "append",
  "append",
);

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      thread,
      values: fc.option(small),
      ifExists: fc.constantFrom("fail", "return"),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("start" as const),
      thread: fc.option(thread, { freq: 4 }),
      how,
      whenBusy: fc.constantFrom(null, "reject", "enqueue", "enqueue", "interrupt", "rollback", "steer", "steer"),
      delay: fc.constantFrom(0, 0, 0, 503, 2_011),
      deadline: fc.constantFrom(null, null, null, 1_499),
      key: fc.constantFrom(null, null, null, "k"),
      priority: fc.constantFrom(0, 0, 1),
      create: fc.boolean(),
      onCompletion: fc.constantFrom("keep", "keep", "delete"),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("release" as const), run: fc.nat(50), fail: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("cancel" as const),
      run: fc.nat(50),
      grace: fc.constantFrom(0, 701),
      rollback: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel all" as const), thread }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete run" as const), run: fc.nat(50) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(7, 101, 509, 1_013, 5_021) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("update" as const),
      thread,
      title: fc.constantFrom(null, "t"),
      metadata: fc.constantFrom<JsonObject>({}, { tag: 1 }, { tag: null }),
      archived: fc.boolean(),
      whenBusy: fc.constantFrom(null, ...busyStrategies),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("copy" as const), thread, to: thread }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete thread" as const), thread }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("list" as const),
      status: fc.constantFrom("idle", "busy", "error"),
      limit: fc.integer({ min: 1, max: 3 }),
      tag: fc.nat(1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
);

/** One storage's side of the game. */
class Player {
  readonly #kind: StorageKind;
  #world: World | undefined;
  #earlier: StorageSnapshot | undefined;
  readonly #runs: { handle: RunHandle; outcome: unknown }[] = [];
  /** Attempts that hang, by the run's number. */
  readonly #hanging = new Map<string, (fail: boolean) => void>();

  constructor(kind: StorageKind) {
    this.#kind = kind;
  }

  readonly #agent = defineAgent({
    name: "player",
    retry: { maxFailures: 2, jitter: "none", delay: 307 },
    run: async (context) => {
      const how = context.input as How;
      const { values, attempt, runId } = context;
      if (how === "checkpoint and hang") await context.checkpoint({ mid: attempt });
      if (how === "hang" || how === "checkpoint and hang") {
        await context.emit("waiting", { attempt });
        const fail = await new Promise<boolean>((resolve) => this.#hanging.set(runId, resolve));
        const taken = (await context.takeSteered()).map(({ input }) => input);
        if (fail) throw new Error("released to fail");
        return { output: { taken }, values: { last: "released" } };
      }
      if (how === "fail" || (how === "fail once" && attempt === 1)) throw new Error(`failure ${attempt}`);
      if (how === "return rubbish") return { values: { bad: Number.NaN } };
      if (how === "append")
        return { output: attempt, values: { list: [...((values.list ?? []) as Json[]), `item ${"x".repeat(50)}`] } };
      return { output: { how, attempt }, values: { last: how } };
    },
  });

  async open(): Promise<void> {
    this.#world = await setUp(this.#kind, this.#options);
  }

  get #options() {
    return { agents: [this.#agent], concurrency: 3, queueBound: 3, cancelGrace: 1_019, whenBusy: "reject" as const };
  }

  get world(): World {
    if (this.#world === undefined) throw new Error("not open");
    return this.#world;
  }

  /** What the action answers, and all that can be seen afterwards. */
  async play(action: Action): Promise<string> {
    const answer = await this.#act(action).catch((error: unknown) => {
      if (!HeddleError.is(error)) throw error;
      return { refused: error.code, ...error.details };
    });
    await this.world.quiet();
    return this.#plain({ answer, seen: await this.#observe() });
  }

  async #act(action: Action): Promise<unknown> {
    const { engine } = this.world;
    switch (action.do) {
      case "create": {
        const options = action.values === null ? {} : { values: action.values };
        if (action.ifExists === "return") return (await engine.threads.getOrCreate(action.thread, options)).id;
        return (await engine.threads.create({ id: action.thread, ...options })).id;
      }
      case "start":
        return this.#start(action);
      case "release":
        return this.#release(action.run, action.fail);
      case "cancel":
        return this.#runAt(action.run)?.handle.cancel({ grace: action.grace, rollback: action.rollback });
      case "cancel all":
        return engine.runs.cancelMany({ threadId: action.thread });
      case "delete run":
        return this.#runAt(action.run)?.handle.delete();
      case "advance":
        return this.world.advance(action.ms);
      case "update": {
        const { title, metadata, archived, whenBusy } = action;
        return (await engine.threads.get(action.thread)).update({ title, metadata, archived, whenBusy });
      }
      case "copy":
        return (await (await engine.threads.get(action.thread)).copy({ id: action.to })).id;
      case "delete thread":
        return (await engine.threads.get(action.thread)).delete();
      case "list":
        return engine.threads.list({ status: action.status, limit: action.limit, metadata: { tag: action.tag } });
      case "restart":
        return this.#restart();
    }
  }

  async #start(action: Extract<Action, { do: "start" }>): Promise<unknown> {
    const { whenBusy, delay, deadline, key, priority, onCompletion } = action;
    const options = {
      delay,
      priority,
      ...(deadline !== null && { deadline }),
      ...(key !== null && { idempotencyKey: key }),
    };
    const { engine } = this.world;
    const handle =
      action.thread === null
        ? await engine.runs.start(this.#agent, action.how, { ...options, onCompletion })
        : await this.#threadOf(action.thread).start(this.#agent, action.how, {
            ...options,
            ...(whenBusy !== null && { whenBusy }),
            ifNotExists: action.create ? "create" : "reject",
          });
    this.#follow(handle as RunHandle);
    return { id: handle.id, threadId: handle.threadId };
  }

  /** A handle that does not ask first whether the thread is there. */
  #threadOf(id: string): Pick<ThreadHandle, "start"> {
    const { engine } = this.world;
    return {
      start: async (agent, input, options) => {
        const { ifNotExists, ...rest } = options ?? {};
        if (ifNotExists === "create") await engine.threads.getOrCreate(id);
        return (await engine.threads.get(id)).start(agent, input, rest);
      },
    };
  }

  #follow(handle: RunHandle): void {
    const run: { handle: RunHandle; outcome: unknown } = { handle, outcome: "open" };
    this.#runs.push(run);
    handle.settled().then(
      (outcome) => (run.outcome = outcome),
      (error: unknown) => (run.outcome = HeddleError.is(error) ? error.code : String(error)),
    );
  }

  #runAt(index: number) {
    return this.#runs[index % Math.max(this.#runs.length, 1)];
  }

  /** By the order of their starts: attempts that begin at the same time load side by side, and any may be first. */
  #release(index: number, fail: boolean): boolean {
    const hanging = this.#runs.filter(({ handle }) => this.#hanging.has(handle.id));
    const id = hanging[index % Math.max(hanging.length, 1)]?.handle.id;
    if (id === undefined) return false;
    this.#hanging.get(id)?.(fail);
    return this.#hanging.delete(id);
  }

  async #restart(): Promise<void> {
    const before = this.world;
    await before.close();
    for (const release of this.#hanging.values()) release(true);
    this.#hanging.clear();
    this.#world = await before.join(this.#options);
  }

  async #observe(): Promise<unknown> {
    const { engine } = this.world;
    const { items } = await engine.threads.list({ archived: "any", sortBy: "createdAt", order: "asc" });
    const runs = (await engine.runs.list({ order: "asc", limit: 100, rolledBack: "any" })).items;
    return {
      handles: this.#runs.map(({ outcome }) => outcome),
      threads: await Promise.all(
        items.map(async (info) => ({ info, ...(await this.#look(await engine.threads.get(info.id))) })),
      ),
      runs: await Promise.all(runs.map(async (run) => ({ run, events: await this.#eventsOf(run.id, run.status) }))),
    };
  }

  async #look(thread: ThreadHandle) {
    const history = await thread.history({ limit: 100 });
    return {
      values: await thread.values(),
      history,
      states: await Promise.all(history.map(({ id }) => thread.valuesAt(id))),
      queue: (await thread.queue()).map(({ id }) => id),
    };
  }

  /** The stream of an unsettled run does not end by itself. */
  async #eventsOf(id: string, status: string): Promise<unknown> {
    if (status === "pending" || status === "running") return "open";
    return read((await this.world.engine.runs.get(id)).events()).ended;
  }

  /** Everything released and all time passed: every accepted run must be settled. */
  async finish(): Promise<string> {
    for (let round = 0; round < 40; round++) {
      while (this.#release(0, round % 2 === 0)) await this.world.quiet();
      await this.world.advance(2_500);
    }
    const left = await this.world.engine.runs.list({ status: ["pending", "running"] });
    expect(left.items, `not settled on ${this.#kind.name}`).toEqual([]);
    for (const { outcome } of this.#runs) expect(outcome).not.toBe("open");
    return this.#plain(await this.#observe());
  }

  async check(): Promise<void> {
    const { database, clock } = this.world;
    const storage = database.connect();
    await storage.open({ clock });
    try {
      this.#earlier = await checkInvariants(storage, this.#earlier);
    } finally {
      await storage.close();
    }
  }

  /** Generated ids by the order of their appearance; stacks name files, which are no result. */
  #plain(value: unknown): string {
    const names = new Map<string, string>();
    const text = JSON.stringify(
      value,
      (key, each: unknown) => (key === "stack" ? undefined : each === undefined ? "undefined" : each),
      1,
    );
    return text.replace(/\b(run|thr|chk|wrk|msg)_[0-9A-Za-z]{26}\b/g, (id, prefix: string) => {
      const name = names.get(id) ?? `${prefix} ${names.size}`;
      names.set(id, name);
      return name;
    });
  }
}

/** Where a server answers, sequences take long: there are fewer of them. */
const games: readonly [name: string, kinds: readonly StorageKind[], sequences: number][] = [
  ["embedded storage", storages.filter(({ takesTurns }) => takesTurns), size(40, 400, 1_500)],
  ["storage", storages, size(6, 25, 100)],
];

test.each(games)(
  "the same commands give the same results on every %s",
  { timeout: size(120_000, 1_800_000) },
  async (_, kinds, sequences) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: size(30, 60), size: "max" }), async (actions) => {
        const players = kinds.map((kind) => new Player(kind));
        for (const player of players) await player.open();
        try {
          for (const action of actions) {
            const [first, ...others] = await Promise.all(players.map((player) => player.play(action)));
            for (const other of others) expect(other, JSON.stringify(action)).toBe(first);
            for (const player of players) await player.check();
          }
          const [first, ...others] = await Promise.all(players.map((player) => player.finish()));
          for (const other of others) expect(other).toBe(first);
        } finally {
          for (const player of players) await player.world.close();
        }
      }),
      { numRuns: sequences, ...seeded() },
    );
  },
);

/** HEDDLE_TEST_SEED and HEDDLE_TEST_PATH repeat a failure that was printed. */
function seeded(): { seed?: number; path?: string } {
  const { HEDDLE_TEST_SEED: seed, HEDDLE_TEST_PATH: path } = process.env;
  return seed === undefined ? {} : { seed: Number(seed), ...(path === undefined ? {} : { path }) };
}
