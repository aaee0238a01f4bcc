import { describe, expect, test } from "vitest";
import { HeddleError } from "../errors.js";
import type { Effect, Intent } from "../model/intents/intent.js";
import type { IntentResult, Storage } from "../ports/storage.js";
import { cancelRun } from "../testing/intents.js";
import { manualClock } from "../testing/manual-clock.js";
import { runRecord } from "../testing/shelf.js";
import { Committer } from "./committer.js";

const intentOf = (runId: string, threadId: string | null = null) => cancelRun({ id: runId, threadId });
const nameOf = (intent: Intent): string => ("runId" in intent ? intent.runId : intent.kind);
const effectOf = (intent: Intent): Effect => ({ type: "run_deleted", runId: nameOf(intent) });
const clock = manualClock();
const busy = new HeddleError("STORAGE_BUSY", "somebody else holds the thread");

const done = (intent: Intent): IntentResult => {
  return { ok: true, value: runRecord({ id: nameOf(intent) }), effects: [effectOf(intent)] };
};
const refused = (error: HeddleError): IntentResult => ({ ok: false, error });

/** A committer before a storage that answers as the test says. `log` tells what reached whom, in order. */
function setUp(answer: (intents: readonly Intent[]) => Promise<readonly IntentResult[]> | readonly IntentResult[]) {
  const log: string[] = [];
  const commit = async (intents: readonly Intent[]) => {
    log.push(`commit ${intents.map(nameOf).join(" ")}`);
    return answer(intents);
  };
  const tell = (effects: readonly Effect[]): void => {
    for (const effect of effects) if (effect.type === "run_deleted") log.push(`told of ${effect.runId}`);
  };
  const storage = { commit } as unknown as Storage;
  const committer = new Committer(storage, clock, tell, () => void log.push("lost"));
  const send = (intent: Intent): Promise<void> =>
    committer.commit<Intent["kind"]>(intent).then(
      (value) => void log.push(`answered ${(value as { id: string }).id}`),
      (error) => void log.push(`refused ${nameOf(intent)}: ${error.code}`),
    );
  return { committer, log, send };
}

/** Held back until the test lets it go. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

const turns = async (count = 5): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await clock.turn();
};

describe("group commit", () => {
  test("what comes in the same turn shares a commit, and others are told before who asked is answered", async () => {
    const { log, send } = setUp((intents) => intents.map(done));
    await Promise.all(["1", "2"].map((id) => send(intentOf(id))));
    expect(log).toEqual(["commit 1 2", "told of 1", "told of 2", "answered 1", "answered 2"]);
  });

  test("what comes while a commit is under way shares the next one", async () => {
    const first = gate();
    const { committer, log, send } = setUp(async (intents) => {
      await first.passed;
      return intents.map(done);
    });
    expect(committer.busy).toBe(false);
    const sent = [send(intentOf("1"))];
    await turns();
    sent.push(send(intentOf("2")), send(intentOf("3")));
    await turns();
    expect([committer.busy, log]).toEqual([true, ["commit 1"]]);
    first.open();
    await Promise.all(sent);
    expect(log.filter((line) => line.startsWith("commit"))).toEqual(["commit 1", "commit 2 3"]);
    await turns();
    expect(committer.busy).toBe(false);
  });

  test("a commit takes 512 at most", async () => {
    const { log, send } = setUp((intents) => intents.map(done));
    await Promise.all(Array.from({ length: 1025 }, (_, at) => send(intentOf(String(at)))));
    const sizes = log.filter((line) => line.startsWith("commit")).map((line) => line.split(" ").length - 1);
    expect(sizes).toEqual([512, 512, 1]);
  });

  test("drain waits until nothing is on its way", async () => {
    const { committer, log, send } = setUp((intents) => intents.map(done));
    void send(intentOf("1"));
    void send(intentOf("2"));
    await committer.drain();
    expect([committer.busy, log.filter((line) => line.startsWith("told"))]).toEqual([
      false,
      ["told of 1", "told of 2"],
    ]);
  });
});

describe("refusals", () => {
  test("are their own intent's: the others of the commit are done, and nobody is told of what was refused", async () => {
    const gone = refused(new HeddleError("RUN_NOT_FOUND", "no such run"));
    const { log, send } = setUp((intents) => intents.map((intent) => (nameOf(intent) === "1" ? gone : done(intent))));
    await Promise.all(["1", "2"].map((id) => send(intentOf(id))));
    expect(log).toEqual(["commit 1 2", "told of 2", "refused 1: RUN_NOT_FOUND", "answered 2"]);
  });

  test("a commit that fails as a whole refuses all of it, and the next one is tried", async () => {
    let calls = 0;
    const { committer, log, send } = setUp((intents) => {
      if (calls++ === 0) throw new HeddleError("STORAGE_FULL", "the disk is full");
      return intents.map(done);
    });
    await Promise.all(["1", "2"].map((id) => send(intentOf(id))));
    await send(intentOf("3"));
    expect(log).toEqual([
      "commit 1 2",
      "refused 1: STORAGE_FULL",
      "refused 2: STORAGE_FULL",
      "commit 3",
      "told of 3",
      "answered 3",
    ]);
    await turns();
    expect(committer.busy).toBe(false);
  });

  test("what a storage throws is a storage's error at least, with its cause", async () => {
    const odd = new Error("odd");
    const { committer } = setUp(() => Promise.reject(odd));
    await expect(committer.commit(intentOf("1"))).rejects.toMatchObject({ code: "STORAGE_ERROR", cause: odd });
  });

  test("an answer that is missing is an error, not a promise for ever", async () => {
    const { log, send } = setUp((intents) => intents.slice(1).map(done));
    await Promise.all(["1", "2"].map((id) => send(intentOf(id))));
    expect(log.at(-1)).toBe("refused 2: STORAGE_ERROR");
  });

  test("only a commit that may have been done is told as lost", async () => {
    const unknown = new HeddleError("STORAGE_ERROR", "the connection broke", { details: { outcome: "unknown" } });
    const known = new HeddleError("STORAGE_ERROR", "it was refused", { details: { outcome: "undone" } });
    const failures = [unknown, known, new Error("odd")];
    const { log, send } = setUp(() => Promise.reject(failures.shift()));
    for (const id of ["1", "2", "3"]) await send(intentOf(id));
    expect(log.filter((line) => !line.startsWith("refused"))).toEqual(["commit 1", "lost", "commit 2", "commit 3"]);
  });
});

describe("a thread that somebody else holds", () => {
  test("is waited for aside, and alone: the others of its commit go on", async () => {
    const held = gate();
    const { committer, log, send } = setUp(async (intents) => {
      if (intents.length === 1 && intents.some((intent) => nameOf(intent) === "1")) await held.passed;
      return intents.map((intent) => (intents.length > 1 && nameOf(intent) === "1" ? refused(busy) : done(intent)));
    });
    const sent = [send(intentOf("1", "held")), send(intentOf("2", "free"))];
    await turns();
    expect(log).toEqual(["commit 1 2", "told of 2", "answered 2", "commit 1"]);
    sent.push(send(intentOf("3", "free")), send(intentOf("4", "held")));
    await turns();
    // What concerns the held thread comes behind what waits for it already.
    expect(log.slice(4)).toEqual(["commit 3", "told of 3", "answered 3"]);
    expect(committer.busy).toBe(true);
    const drained = committer.drain();
    held.open();
    await Promise.all([...sent, drained]);
    expect(log.slice(7)).toEqual(["told of 1", "answered 1", "commit 4", "told of 4", "answered 4"]);
    expect(committer.busy).toBe(false);
  });

  test("costs no commit while all that comes concerns it", async () => {
    const held = gate();
    const { log, send } = setUp(async (intents) => {
      if (intents.length === 1) await held.passed;
      return intents.map((intent) => (intents.length > 1 && nameOf(intent) === "1" ? refused(busy) : done(intent)));
    });
    const sent = [send(intentOf("1", "held")), send(intentOf("2", "free"))];
    await turns();
    sent.push(send(intentOf("3", "held")));
    await turns();
    held.open();
    await Promise.all(sent);
    expect(log.filter((line) => line.startsWith("commit"))).toEqual(["commit 1 2", "commit 1", "commit 3"]);
  });

  test("who is alone and still finds it held is told so", async () => {
    const { log, send } = setUp((intents) => intents.map(() => refused(busy)));
    await send(intentOf("1", "held"));
    expect(log).toEqual(["commit 1", "refused 1: STORAGE_BUSY"]);
  });
});
