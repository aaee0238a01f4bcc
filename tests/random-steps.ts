/** Random command sequences for storages: few ids, so that the commands meet. */

import type { Intent } from "@heddle/core/storage";
import { type AcceptOptions, acceptRun, type Step, testPolicy } from "@heddle/core/testing";
import fc from "fast-check";

type Arbitrary<Value> = fc.Arbitrary<Value>;

const threadIds = ["a", "b"] as const;
const threadId = fc.constantFrom(...threadIds, ...threadIds, "d", "e");
const agent = fc.constantFrom("x", "y");
const worker = fc.constantFrom("w1", "w2");
const lease = fc.constantFrom(5_000, 20_000);
const agents = fc.subarray(["x", "y"], { minLength: 1 });

/** Named by what `sameResults` will find when the step's turn comes. */
const anyRun = fc.nat(50).map((number) => ({ runId: `any#${number}`, threadId: null }));
const attempt = fc
  .record({
    group: fc.constantFrom("running", "running", "running", "any"),
    number: fc.nat(50),
    attempt: fc.constantFrom(0, 0, 0, 0, 1),
  })
  .map(({ group, number, attempt }) => ({ runId: `${group}#${number}`, threadId: null, lineageId: "", attempt }));

const events = fc.array(
  fc.record(
    { type: fc.constantFrom("log", "tool_call"), payload: fc.json({ maxDepth: 2 }), key: fc.constantFrom("e", "f") },
    { requiredKeys: ["type", "payload"] },
  ),
  { maxLength: 2 },
);
const finalCheckpointId = fc.constant("");
const newCheckpoint = fc
  .record({ key: fc.constantFrom("k", "l"), value: fc.json({ maxDepth: 2 }), whole: fc.boolean() })
  .map(({ key, value, whole }) => ({
    id: "",
    encoding: whole ? ("snapshot" as const) : ("delta" as const),
    body: whole ? `{"${key}":${value}}` : `[["=",["${key}"],${value}]]`,
    valuesBytes: value.length,
    changedKeys: [key],
  }));
const checkpoint = fc
  .option(newCheckpoint, { nil: undefined })
  .map((given) => (given === undefined ? {} : { checkpoint: given }));

const whenBusy = fc.constantFrom("reject", "enqueue", "enqueue", "interrupt", "rollback", "steer", "steer");
/** Named by a run: its newest. */
const checkpointRef = fc.nat(50).map((number) => ({ id: `any#${number}`, isShared: false }));

const acceptOptions: Arbitrary<Partial<AcceptOptions>> = fc.record(
  {
    agent,
    whenBusy,
    threadDecides: fc.boolean(),
    from: checkpointRef,
    createThread: fc.constantFrom(true, true, true, false),
    queueBound: fc.constantFrom(2, 100, 100),
    priority: fc.constantFrom(0, 0, 5),
    delay: fc.constantFrom(0, 0, 0, 3_000),
    deadline: fc.constantFrom(null, null, null, 8_000),
    metadata: fc.constantFrom("{}", '{"m":1}'),
    idempotency: fc.record({
      key: fc.constantFrom("i", "j"),
      fingerprint: fc.constantFrom("f", "f", "f", "g"),
      keep: fc.constantFrom(4_000, 60_000),
    }),
    claim: fc.record({ worker, lease, agents }),
    policy: fc.constantFrom(
      {},
      { onCompletion: "delete" as const },
      { retry: { ...testPolicy.retry, maxCrashes: 1 } },
      { cancelGrace: 0 },
    ),
  },
  { requiredKeys: ["agent", "whenBusy"] },
);
const accept = fc
  .record({ threadId: fc.option(threadId, { freq: 4 }), options: acceptOptions })
  .map(({ threadId, options }): Intent => acceptRun({ ...options, id: "", threadId }));

/** A run that another one starts: once per lineage and key. */
const acceptChild = fc
  .record({
    threadId: fc.option(threadId),
    agent,
    attempt,
    key: fc.constantFrom("c", "d"),
    delay: fc.constantFrom(0, 3_000),
  })
  .map(({ threadId, agent, attempt, key, delay }): Intent => {
    const child = { attempt, key, family: [] };
    return acceptRun({ id: "", threadId, agent, delay, child, whenBusy: "enqueue" });
  });

const questions = fc.uniqueArray(
  fc.record({
    key: fc.constantFrom("p", "q"),
    payload: fc.json({ maxDepth: 1 }),
    schema: fc.constantFrom(null, null, null, '{"type":"string"}'),
    expiresIn: fc.constantFrom(null, null, 3_000),
  }),
  { minLength: 1, maxLength: 2, selector: ({ key }) => key },
);
const memos = fc.array(
  fc.record({ kind: fc.constant("step" as const), key: fc.constantFrom("s", "t"), body: fc.json({ maxDepth: 1 }) }),
  { maxLength: 2 },
);

const outcome = fc.oneof(
  fc.json({ maxDepth: 2 }).map((output) => ({ status: "succeeded" as const, output })),
  fc.constantFrom("failure" as const, "none" as const).map((counts) => ({
    status: "failed" as const,
    error: { code: "AGENT_ERROR", message: "boom" },
    counts,
  })),
  fc.constant({ status: "canceled" as const, reason: { kind: "user" as const } }),
  questions.map((questions) => ({ status: "interrupted" as const, questions, nextRunId: "" })),
);
/** Some were handed to the run, some are others. */
const taken = fc.array(
  fc.nat(50).map((number) => `handed#${number}`),
  { maxLength: 3 },
);

const settle = fc
  .record({ attempt, outcome, events, checkpoint, finalCheckpointId, taken })
  .map(({ checkpoint, ...rest }): Intent => ({ kind: "settle_run", ...rest, ...checkpoint }));
const progress = fc
  .record({ attempt, events, checkpoint, memos })
  .map(({ checkpoint, ...rest }): Intent => ({ kind: "record_progress", ...rest, ...checkpoint }));
const claim = fc
  .record({ worker, lease, agents, limit: fc.constantFrom(1, 2, 10) })
  .map((rest): Intent => ({ kind: "claim_runs", ...rest }));
const extend = fc
  .record({ worker, lease, attempts: fc.array(attempt, { maxLength: 3 }) })
  .map((rest): Intent => ({ kind: "extend_leases", ...rest }));
const release = fc
  .record({
    attempt,
    why: fc.constantFrom("retry", "shutdown"),
    events,
    delay: fc.constantFrom(0, 2_000),
    finalCheckpointId,
  })
  .map((rest): Intent => ({ kind: "release_run", ...rest }));
const suspend = fc
  .record({
    attempt,
    why: fc.constantFrom("sleep", "child"),
    delay: fc.constant(0),
    until: fc.constantFrom(4_000, 30_000),
    events,
    finalCheckpointId,
  })
  .map((rest): Intent => ({ kind: "release_run", ...rest }));
const answer = fc
  .record({
    run: anyRun,
    keys: fc.subarray(["p", "q"], { minLength: 1 }),
    schema: fc.constantFrom(null, null, '{"type":"string"}'),
  })
  .map(({ run, keys, schema }): Intent => {
    const answers = keys.map((key) => ({ key, schema, answer: '"yes"' }));
    return { kind: "answer_questions", lineageId: run.runId, threadId: null, answers, nextRunId: "" };
  });
const cancel = fc
  .record({
    run: anyRun,
    reason: fc.record({ kind: fc.constantFrom("user", "user", "parent", "rolled_back") }),
    grace: fc.constantFrom(0, 1_000),
    finalCheckpointId,
  })
  .map(({ run, ...rest }): Intent => ({ kind: "cancel_run", ...run, ...rest }));
const tend = fc
  .record({ run: anyRun, deadWorkers: fc.subarray(["w1", "w2"], { maxLength: 1 }), finalCheckpointId })
  .map(({ run, ...rest }): Intent => ({ kind: "tend_run", ...run, ...rest }));
const deleteRun = anyRun.map((run): Intent => ({ kind: "delete_run", ...run }));
const createThread = fc
  .record({
    id: threadId,
    title: fc.option(fc.string({ unit: "grapheme" })),
    metadata: fc.constantFrom("{}", '{"m":"ä"}'),
    ifExists: fc.constantFrom("fail", "return"),
  })
  .map((rest): Intent => ({ kind: "create_thread", ...rest }));
const updateThread = fc
  .record({
    id: threadId,
    archived: fc.boolean(),
    whenBusy: fc.option(whenBusy),
    metadata: fc.dictionary(fc.constantFrom("m", "n"), fc.constantFrom(null, 1, "ä", true)),
    maxMetadata: fc.constantFrom(12, 1_000),
  })
  .map((rest): Intent => ({ kind: "update_thread", ...rest }));
const copyThread = fc
  .record({ from: threadId, id: fc.constantFrom(...threadIds, "d", "e") })
  .map((rest): Intent => ({ kind: "copy_thread", ...rest }));
const copyAt = fc
  .record({ from: threadId, at: checkpointRef, id: fc.constantFrom(...threadIds, "d", "e") })
  .map((rest): Intent => ({ kind: "copy_thread", ...rest }));
const moveHead = fc
  .record({ threadId, to: fc.option(checkpointRef, { nil: undefined }), checkpoint })
  .map(({ to, checkpoint, threadId }): Intent => {
    return { kind: "move_head", threadId, ...checkpoint, ...(to === undefined ? {} : { to }) };
  });
const deleteThread = fc
  .record({ id: threadId, keepTombstone: fc.constantFrom(4_000, 60_000) })
  .map((rest): Intent => ({ kind: "delete_thread", ...rest }));
const collect = threadId.map((id): Intent => ({ kind: "collect_checkpoints", threadId: id }));

const intent = fc.oneof(
  { weight: 8, arbitrary: accept },
  { weight: 6, arbitrary: claim },
  { weight: 8, arbitrary: settle },
  { weight: 2, arbitrary: acceptChild },
  { weight: 2, arbitrary: suspend },
  { weight: 4, arbitrary: answer },
  { weight: 1, arbitrary: copyAt },
  { weight: 2, arbitrary: moveHead },
  { weight: 4, arbitrary: progress },
  { weight: 3, arbitrary: release },
  { weight: 1, arbitrary: extend },
  { weight: 3, arbitrary: cancel },
  { weight: 4, arbitrary: tend },
  { weight: 1, arbitrary: deleteRun },
  { weight: 2, arbitrary: createThread },
  { weight: 1, arbitrary: updateThread },
  { weight: 1, arbitrary: copyThread },
  { weight: 1, arbitrary: deleteThread },
  { weight: 1, arbitrary: collect },
);

const step: Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .array(intent, { minLength: 1, maxLength: 6 })
      .map((intents) => ({ type: "commit", intents }) as const),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ intents: fc.array(intent, { maxLength: 4 }), fails: fc.boolean() })
      .map((rest) => ({ type: "transaction", ...rest }) as const),
  },
  { weight: 3, arbitrary: fc.constantFrom(1, 1_000, 6_000, 25_000).map((ms) => ({ type: "advance", ms }) as const) },
  { weight: 1, arbitrary: fc.constant({ type: "purge" } as const) },
);

/** Sequences of at most `maxLength` steps, in which every new run and checkpoint has an id of its own. */
export function randomSteps(maxLength: number): Arbitrary<readonly Step[]> {
  return fc.array(step, { minLength: 1, maxLength, size: "max" }).map((steps) => {
    let count = 0;
    const nextId = (prefix: string) => `${prefix}${++count}`;
    return steps.map((step) =>
      "intents" in step ? { ...step, intents: step.intents.map((intent) => withIds(intent, nextId)) } : step,
    );
  });
}

function withIds(intent: Intent, nextId: (prefix: string) => string): Intent {
  if (intent.kind === "accept_run") {
    const id = nextId("run");
    return { ...intent, finalCheckpointId: nextId("chk"), run: { ...intent.run, id, lineageId: id } };
  }
  if (intent.kind === "answer_questions") return { ...intent, nextRunId: nextId("run") };
  if (intent.kind === "settle_run" && intent.outcome.status === "interrupted") {
    return { ...intent, finalCheckpointId: nextId("chk"), outcome: { ...intent.outcome, nextRunId: nextId("run") } };
  }
  const named = "finalCheckpointId" in intent ? { ...intent, finalCheckpointId: nextId("chk") } : intent;
  if (!("checkpoint" in named) || named.checkpoint === undefined) return named;
  return { ...named, checkpoint: { ...named.checkpoint, id: nextId("chk") } };
}
