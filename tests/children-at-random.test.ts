/** Families that start, wait, fail, are canceled, deleted and handed over at random, in virtual time: every run ends. */

import { type Agent, type createEngine, defineAgent, memoryStorage } from "@heddle/core";
import { checkInvariants, createTestEngine, manualClock, seededRandom, type TestEngine } from "@heddle/core/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { size } from "./size.js";

const hour = 3_600_000;
const threads = ["t1", "t2", "t3"];

interface Plan {
  readonly sleep: number;
  readonly fails: boolean;
  readonly waits: boolean;
  readonly catches: boolean;
  readonly children: readonly { readonly threadId?: string; readonly whenBusy: string; readonly plan: Plan }[];
}

type Chance = (below: number) => number;

function chanceOf(seed: number): Chance {
  const random = seededRandom(seed);
  return (below) => Math.floor(random.fraction() * below);
}

function planOf(chance: Chance, depth: number): Plan {
  const children = depth === 0 ? [] : Array.from({ length: chance(4) }, () => childOf(chance, depth - 1));
  return {
    sleep: [0, 0, 1, 700, 30_000][chance(5)] as number,
    fails: chance(6) === 0,
    waits: chance(4) > 0,
    catches: chance(3) > 0,
    children,
  };
}

function childOf(chance: Chance, depth: number): Plan["children"][number] {
  const plan = planOf(chance, depth);
  const whenBusy = ["reject", "enqueue", "enqueue", "interrupt", "steer", "rollback"][chance(6)] as string;
  return chance(2) === 0 ? { plan, whenBusy } : { plan, whenBusy, threadId: threads[chance(3)] as string };
}

const member: Agent = defineAgent({
  name: "member",
  input: z.custom<Plan>(() => true),
  retry: { maxFailures: 2, delay: 100 },
  run: async ({ input, start, sleep, step }) => {
    const plan = input as Plan;
    const unlessCaught = (error: unknown): unknown => {
      if (!plan.catches) throw error;
      return "caught";
    };
    const children = await Promise.all(
      plan.children.map(({ plan: below, threadId, whenBusy }, at) =>
        start(`child ${at}`, member, below, {
          ...(threadId === undefined
            ? {}
            : { threadId, whenBusy: whenBusy as "reject", ifNotExists: "create" as const }),
        }).catch(unlessCaught),
      ),
    );
    if (plan.sleep > 0) await sleep(plan.sleep);
    await step("once", () => "done");
    if (plan.waits) {
      for (const child of children) {
        if (typeof child === "object" && child !== null) {
          await (child as { result(): Promise<unknown> }).result().catch(unlessCaught);
        }
      }
    }
    if (plan.fails) throw new Error("as planned");
    return { output: null };
  },
}) as unknown as Agent;

async function playOnce(seed: number): Promise<{ readonly runs: number; readonly suspensions: number }> {
  const chance = chanceOf(seed);
  const storage = memoryStorage();
  const clock = manualClock();
  const open: TestEngine[] = [];
  const join = async (): Promise<void> => {
    const suspendAfter = [0, 500, 5_000][chance(3)] as number;
    const concurrency = [1, 2, 8][chance(3)] as number;
    const seedOfEngine = seed * 100 + open.length + chance(1_000_000);
    open.push(
      await createTestEngine({ agents: [member], storage, clock, seed: seedOfEngine, suspendAfter, concurrency }),
    );
  };
  await join();
  await join();
  for (let act = 0; act < 12; act++) {
    const { engine } = open[chance(open.length)] as TestEngine;
    await actOnce(engine, chance).catch((error: unknown) => expect(error).toHaveProperty("code"));
    if (chance(8) === 0) {
      const [leaver] = open.splice(chance(open.length), 1);
      await join();
      await leaver?.close();
    }
    for (let turn = chance(30); turn > 0; turn--) await clock.turn();
    if (chance(2) === 0) await clock.advance([1, 100, 700, 6_000, 31_000][chance(5)] as number);
  }
  const { engine } = open[0] as TestEngine;
  const unsettled = () => engine.runs.count({ status: ["pending", "running"] });
  for (let look = 0; look < 400 && (await unsettled()) > 0; look++) {
    await clock.advance(20_000);
    await clock.settle();
  }
  const left = await engine.runs.list({ status: ["pending", "running"] });
  expect(left.items.map(({ id, status }) => [id, status])).toEqual([]);
  const { runs, events } = await checkInvariants(storage);
  for (const each of open) await each.close();
  const types = [...events.values()].flat().map(({ type }) => type);
  return { runs: runs.size, suspensions: types.filter((type) => type === "run_suspended").length };
}

async function actOnce(engine: ReturnType<typeof createEngine>, chance: Chance): Promise<void> {
  const some = chance(10);
  if (some < 5) {
    // Two families may each hold what the other waits for: a deadline ends that.
    const options = { deadline: hour } as const;
    const plan = planOf(chance, 3);
    if (chance(2) === 0) await engine.runs.start(member, plan, options);
    else {
      const thread = await engine.threads.getOrCreate(threads[chance(3)] as string);
      await thread.start(member, plan, { ...options, whenBusy: "enqueue" });
    }
  } else if (some < 8) {
    const { items } = await engine.runs.list({ status: ["pending", "running"] });
    const run = items[chance(Math.max(1, items.length))];
    if (run !== undefined) await engine.runs.cancel(run.id);
  } else if (some === 8) await (await engine.threads.get(threads[chance(3)] as string)).delete();
}

test("every run of every family ends, whatever happens to it meanwhile", async () => {
  const rounds = size(40, 600, 2_000);
  let runs = 0;
  let suspensions = 0;
  const from = Number(process.env.HEDDLE_SEED ?? 1);
  for (let seed = from; seed < from + rounds; seed++) {
    const played = await playOnce(seed).catch((error: unknown) => {
      throw new Error(`HEDDLE_SEED=${seed} HEDDLE_TEST_SIZE=quick finds it in the first round`, { cause: error });
    });
    runs += played.runs;
    suspensions += played.suspensions;
  }
  console.log(`${rounds} rounds, ${runs} runs, ${suspensions} suspensions`);
  expect(suspensions).toBeGreaterThan(rounds);
}, 600_000);
