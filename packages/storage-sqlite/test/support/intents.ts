import type { IntentOf } from "@heddle/core/storage";

export function newThread(id: string): IntentOf<"create_thread"> {
  return { kind: "create_thread", id, title: null, metadata: "{}", ifExists: "fail" };
}

export function newRun(id: string, given: Partial<IntentOf<"accept_run">["run"]> = {}): IntentOf<"accept_run"> {
  const policy = JSON.stringify({
    retry: { maxFailures: 1, maxCrashes: 3, delay: 1_000, factor: 2, maxDelay: 60_000, jitter: "full" },
    cancelGrace: 5_000,
  });
  return {
    kind: "accept_run",
    run: {
      id,
      threadId: null,
      agent: "worker",
      lineageId: id,
      parentRunId: null,
      parentThreadId: null,
      input: "{}",
      config: null,
      metadata: "{}",
      policy,
      priority: 0,
      settleHook: false,
      delay: 0,
      deadline: null,
      ...given,
    },
    whenBusy: "reject",
    finalCheckpointId: `final-${id}`,
    createThread: true,
    queueBound: 100,
  };
}
