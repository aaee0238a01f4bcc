import assert from "node:assert/strict";
import type { HeddleError } from "../../errors.js";
import type { AnswerQuestions, NewQuestion } from "../../model/intents/intent.js";
import type { RunRecord } from "../../model/run.js";
import { freshId, setKey, snapshot } from "../intents.js";
import type { StorageDriver } from "../storage-driver.js";
import { lease } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, isPresent, json, refused, refusedUnchanged, typesOf } from "./expect.js";

export const questionCases = inGroup("questions", {
  async "what is asked is stored with the settle; the thread is free, the run over"({ driver, storage, clock }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const next = await driver.accept({ threadId: run.threadId, whenBusy: "enqueue" });
    const settled = await ask(driver, run, [
      question("b", { expiresIn: 500 }),
      question("a", { schema: '{"type":"string"}' }),
    ]);
    assertFields(settled, {
      status: "interrupted",
      active: false,
      worker: null,
      leaseUntil: null,
      settledAt: clock.now(),
    });
    const [a, b] = await storage.lineages.questions(run.lineageId);
    assert.deepEqual(a, {
      lineageId: run.lineageId,
      key: "a",
      runId: run.id,
      threadId: run.threadId,
      status: "open",
      payload: '{"ask":"a"}',
      schema: '{"type":"string"}',
      answer: null,
      answeredRunId: null,
      askedAt: clock.now(),
      expiresAt: null,
      closedAt: null,
    });
    assert.equal(b?.expiresAt, clock.now() + 500);
    const thread = await driver.thread(run.threadId as string);
    assertFields(thread, { lastOutcome: "interrupted", activeRunId: next.run.id });
    const events = await driver.threadEvents(thread.id);
    assert.deepEqual(typesOf(events), ["run_started", "run_interrupted"]);
    const { questions } = json(events[1]?.payload ?? null) as { questions: { key: string; id: string }[] };
    assert.deepEqual(
      questions.map(({ key, id }) => [key, id]),
      [
        ["b", `${run.id}/b`],
        ["a", `${run.id}/a`],
      ],
    );
  },

  async "an answer starts the next run of the lineage: the same once more, from the thread's head"({
    driver,
    storage,
  }) {
    const run = await driver.start({ threadId: freshId("thr"), metadata: '{"user":"u1"}', priority: 3 });
    await driver.record(run, { events: [], checkpoint: snapshot({ half: true }) });
    const asked = await ask(driver, run, [question("a")]);
    const { outcome, run: resumed } = await answer(driver, run, { a: 42 });
    assert.equal(outcome, "started");
    isPresent(resumed);
    assertFields(resumed, {
      status: "pending",
      active: true,
      lineageId: run.id,
      agent: run.agent,
      input: run.input,
      metadata: run.metadata,
      policy: run.policy,
      priority: 3,
      attempt: 0,
      baseCheckpointId: asked.headCheckpointId,
      headCheckpointId: asked.headCheckpointId,
    });
    const [stored] = await storage.lineages.questions(run.id);
    assertFields(stored as object as { status: string }, { status: "answered" });
    assertFields({ ...stored } as { answer?: string | null; answeredRunId?: string | null }, {
      answer: "42",
      answeredRunId: resumed.id,
    });
    const [claimed] = await driver.claim();
    assert.equal(claimed?.id, resumed.id);
  },

  async "it may be claimed in the same transaction"({ driver }) {
    const run = await driver.start();
    await ask(driver, run, [question("a")]);
    const claim = { worker: driver.worker, lease, agents: ["worker"] };
    const { claimed } = await answer(driver, run, { a: null }, { claim });
    assertFields(claimed as RunRecord, { status: "running", attempt: 1, lineageId: run.id });
  },

  async "in a busy thread it is next, ahead of all that waits, and no bound holds it up"({ driver }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const { threadId } = run;
    await ask(driver, run, [question("a")]);
    const other = await driver.start({ threadId });
    const queued = await driver.accept({ threadId, whenBusy: "enqueue" });
    const { run: resumed } = await answer(driver, run, { a: 1 });
    isPresent(resumed);
    assert.equal(resumed.active, false);
    assert.equal((await driver.thread(threadId as string)).queueLength, 2);
    await driver.settle(other);
    assert.equal((await driver.thread(threadId as string)).activeRunId, resumed.id);
    assert.equal((await driver.run(queued.run)).status, "pending");
  },

  async "a stateless run goes on from the values that it left"({ driver }) {
    const run = await driver.start();
    await driver.record(run, { events: [], checkpoint: snapshot({ half: true }) });
    const asked = await ask(driver, run, [question("a")]);
    assert.notEqual(asked.headCheckpointId, null);
    const { run: resumed } = await answer(driver, run, { a: 1 });
    isPresent(resumed);
    assertFields(resumed, { threadId: null, active: true, headCheckpointId: asked.headCheckpointId });
  },

  async "of many that answer a stateless run at once one wins"({ driver }) {
    const run = await driver.start();
    await ask(driver, run, [question("a"), question("b")]);
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => answer(driver, run, { a: n })));
    const won = all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    assert.deepEqual(
      won.map(({ outcome }) => outcome),
      ["started"],
    );
    for (const one of all) {
      if (one.status === "rejected") assert.equal((one.reason as HeddleError).code, "QUESTION_CLOSED");
    }
    const unsettled = await driver.storage.runs.count({ lineageId: run.lineageId, status: ["pending", "running"] });
    assert.equal(unsettled, 1);
  },

  async "an answer to a stateless run and the end of the run that works meanwhile do not miss each other"({ driver }) {
    for (let round = 0; round < 20; round++) {
      const run = await driver.start();
      await ask(driver, run, [question("a"), question("b")]);
      await answer(driver, run, { a: 1 });
      const resumed = await claimedOf(driver, run);
      await Promise.all([ask(driver, resumed, [question("b")]), answer(driver, run, { b: 2 })]);
      const next = await driver.storage.runs.count({ lineageId: run.lineageId, status: ["pending"] });
      assert.equal(next, 1);
      await driver.settle(await claimedOf(driver, run));
    }
  },

  async "a stateless run is deleted with those that resumed it, and not before they are settled"({ driver }) {
    const run = await driver.start();
    await driver.record(run, { events: [], checkpoint: snapshot({ half: true }) });
    await ask(driver, run, [question("a")]);
    const { run: resumed } = await answer(driver, run, { a: 1 });
    isPresent(resumed);
    const active = await refusedUnchanged(driver, () => driver.deleteRun(run), "RUN_ACTIVE");
    assert.equal(active.details["runId"], resumed.id);
    await driver.settle(await claimedOf(driver, run));
    await driver.deleteRun(resumed);
    for (const id of [run.id, resumed.id]) assert.equal(await driver.storage.runs.get(id), undefined);
    assert.deepEqual(await driver.storage.lineages.questions(run.lineageId), []);
  },

  async "a thread's run is not deleted while one that resumed it is under way"({ driver }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await driver.record(run, { memos: [{ kind: "step", key: "s", body: "1" }] });
    await ask(driver, run, [question("a")]);
    await answer(driver, run, { a: 1 });
    await refusedUnchanged(driver, () => driver.deleteRun(run), "RUN_ACTIVE");
    await driver.settle(await claimedOf(driver, run));
    await driver.deleteRun(run);
    assert.equal(await driver.storage.runs.get(run.id), undefined);
  },

  async "a stateless run that shall not be kept goes with those that it resumed"({ driver }) {
    const run = await driver.start({ policy: { onCompletion: "delete" } });
    await ask(driver, run, [question("a")]);
    assert.notEqual(await driver.storage.runs.get(run.id), undefined);
    const { run: resumed } = await answer(driver, run, { a: 1 });
    isPresent(resumed);
    await driver.settle(await claimedOf(driver, run));
    for (const id of [run.id, resumed.id]) assert.equal(await driver.storage.runs.get(id), undefined);
  },

  async "a question takes one answer; who comes late is told why, and changes nothing"({ driver, clock }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await ask(driver, run, [question("a"), question("b", { expiresIn: 100 })]);
    await refusedUnchanged(driver, () => answer(driver, run, { none: 1 }), "QUESTION_NOT_FOUND");
    await refusedUnchanged(driver, () => answer(driver, run, { a: 1, none: 1 }), "QUESTION_NOT_FOUND");
    await refusedUnchanged(driver, () => answer(driver, run, { a: 1 }, { threadId: null }), "QUESTION_NOT_FOUND");
    await clock.advance(100);
    const expired = await refusedUnchanged(driver, () => answer(driver, run, { b: 1 }), "QUESTION_CLOSED");
    assert.equal(expired.details["status"], "expired");
    await answer(driver, run, { a: 1 });
    const late = await refusedUnchanged(driver, () => answer(driver, run, { a: 2 }), "QUESTION_CLOSED");
    assert.equal(late.details["status"], "answered");
  },

  async "an answer that was checked against another schema is not taken"({ driver }) {
    const run = await driver.start();
    await ask(driver, run, [question("a", { schema: "true" })]);
    const answers = [{ key: "a", schema: null, answer: "1" }];
    assert.deepEqual(await answer(driver, run, {}, { answers }), { outcome: "stale" });
    assert.equal(
      (await answer(driver, run, {}, { answers: [{ key: "a", schema: "true", answer: "1" }] })).outcome,
      "started",
    );
  },

  async "an answer while a run of the lineage is under way is stored; where that run asks, the next one starts at once"({
    driver,
    storage,
  }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const { threadId } = run;
    await ask(driver, run, [question("a"), question("b")]);
    await answer(driver, run, { a: 1 });
    const [second] = await driver.claim();
    isPresent(second);
    const queued = await driver.accept({ threadId, whenBusy: "enqueue" });
    const stored = await answer(driver, run, { b: 2 });
    assert.deepEqual([stored.outcome, stored.run?.id], ["stored", second.id]);
    const nextRunId = freshId("run");
    await ask(driver, second, [question("b")], nextRunId);
    assertFields(await driver.thread(threadId as string), { activeRunId: nextRunId });
    assert.equal((await driver.run(queued.run)).active, false);
    const [third] = await driver.claim();
    assert.equal(third?.id, nextRunId);
    const answers = (await storage.lineages.questions(run.id)).map((one) => [one.key, one.answer, one.answeredRunId]);
    assert.deepEqual(answers, [
      ["a", "1", second.id],
      ["b", "2", nextRunId],
    ]);
  },

  async "what is asked again waits on; what is not asked again is withdrawn"({ driver, storage, clock }) {
    const run = await driver.start();
    const askedAt = clock.now();
    await ask(driver, run, [question("a"), question("b", { expiresIn: 1_000 }), question("c")]);
    await answer(driver, run, { a: 1 });
    await clock.advance(100);
    const [second] = await driver.claim();
    isPresent(second);
    await ask(driver, second, [question("b", { expiresIn: 1_000, payload: "2" })]);
    const [, b, c] = await storage.lineages.questions(run.id);
    assert.deepEqual(
      [b?.status, b?.askedAt, b?.expiresAt, b?.payload, b?.runId],
      ["open", askedAt, askedAt + 1_000, "2", second.id],
    );
    assert.deepEqual([c?.status, c?.closedAt], ["withdrawn", clock.now()]);
    await refused(answer(driver, run, { c: 1 }), "QUESTION_CLOSED");
  },

  async "an expired question that is asked again is asked anew"({ driver, storage, clock }) {
    const run = await driver.start();
    await ask(driver, run, [question("a"), question("b", { expiresIn: 100 })]);
    await answer(driver, run, { a: 1 });
    await clock.advance(200);
    const [second] = await driver.claim();
    isPresent(second);
    await ask(driver, second, [question("b", { expiresIn: 100 })]);
    const [, b] = await storage.lineages.questions(run.id);
    assert.deepEqual([b?.askedAt, b?.expiresAt], [clock.now(), clock.now() + 100]);
  },

  async "the end of a lineage withdraws what is open; an answer then is too late"({ driver, storage }) {
    const ends = [
      (run: RunRecord) => driver.settle(run),
      (run: RunRecord) => driver.fail(run),
      async (run: RunRecord) => {
        await driver.cancel(run);
        return driver.settle(run);
      },
    ];
    for (const end of ends) {
      const run = await driver.start({ threadId: freshId("thr") });
      await ask(driver, run, [question("a"), question("b")]);
      await answer(driver, run, { a: 1 });
      const [second] = await driver.claim();
      isPresent(second);
      await end(second);
      const statuses = (await storage.lineages.questions(run.id)).map(({ status }) => status);
      assert.deepEqual(statuses, ["answered", "withdrawn"]);
      assert.deepEqual(await storage.lineages.openQuestions(run.threadId as string, 10), []);
      await refused(answer(driver, run, { b: 1 }), "QUESTION_CLOSED");
    }
  },

  async "a crash of the resumed run loses no answer"({ driver, storage, clock }) {
    const run = await driver.start();
    await ask(driver, run, [question("a")]);
    await answer(driver, run, { a: "kept" });
    const [second] = await driver.claim();
    isPresent(second);
    await clock.advance(lease);
    await driver.tend(second);
    const [again] = await driver.claim();
    assert.deepEqual([again?.id, again?.attempt], [second.id, 2]);
    assert.deepEqual(
      (await storage.lineages.questions(run.id)).map((one) => one.answer),
      ['"kept"'],
    );
  },

  async "the resumed run sees the values as they are by then, not as it left them"({ driver }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await ask(driver, run, [question("a")]);
    const other = await driver.start({ threadId: run.threadId });
    const edited = await driver.settle(other, { checkpoint: setKey("edited", true) });
    const { run: resumed } = await answer(driver, run, { a: 1 });
    assert.equal(resumed?.headCheckpointId, edited.headCheckpointId);
  },

  async "two that answer at once: one is first"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await ask(driver, run, [question("a")]);
    const intents = [1, 2, 3].map((value) => answerIntent(run, { a: value }));
    const results = await storage.commit(intents);
    assert.deepEqual(
      results.map((result) => (result.ok ? "ok" : result.error.code)),
      ["ok", "QUESTION_CLOSED", "QUESTION_CLOSED"],
    );
    const runs = await storage.runs.list({ lineageId: run.id, sortBy: "createdAt", order: "asc", limit: 10 });
    assert.equal(runs.length, 2);
  },
});

function question(key: string, given: Partial<NewQuestion> = {}): NewQuestion {
  return { key, payload: JSON.stringify({ ask: key }), schema: null, expiresIn: null, ...given };
}

function ask(
  driver: StorageDriver,
  run: RunRecord,
  questions: readonly NewQuestion[],
  nextRunId = freshId("run"),
): Promise<RunRecord> {
  return driver.settle(run, { outcome: { status: "interrupted", questions, nextRunId } });
}

function answer(
  driver: StorageDriver,
  run: RunRecord,
  answers: Readonly<Record<string, unknown>>,
  given: Partial<AnswerQuestions> = {},
) {
  return driver.apply<"answer_questions">({ ...answerIntent(run, answers), ...given });
}

function answerIntent({ lineageId, threadId }: RunRecord, answers: Readonly<Record<string, unknown>>): AnswerQuestions {
  return {
    kind: "answer_questions",
    lineageId,
    threadId,
    answers: Object.entries(answers).map(([key, value]) => ({ key, schema: null, answer: JSON.stringify(value) })),
    nextRunId: freshId("run"),
  };
}

/** The unsettled run of the lineage, claimed. */
async function claimedOf(driver: StorageDriver, { lineageId }: RunRecord): Promise<RunRecord> {
  const claimed = (await driver.claim()).find((run) => run.lineageId === lineageId);
  isPresent(claimed);
  return claimed;
}
