/**
 * The places in a run's life at which a process can be made to die: its commits, in users' words. What is durable at each
 * is the table in docs/testing.md.
 */

import type { Intent, IntentKind, IntentOf, IntentValues, ReleaseRun, SettleRun } from "../../model/intents/intent.js";
import type { RunRecord } from "../../model/run.js";
import { isSettled } from "../../model/run.js";

/** In the order in which a run may come to them. */
export const crashPoints = [
  "accepted",
  "claimed",
  "event",
  "checkpoint",
  "step",
  "suspended",
  "retrying",
  "canceling",
  "asked",
  "answered",
  "settled",
] as const;

export type CrashPoint = (typeof crashPoints)[number];

/** That a commit brings a run to a point. */
export interface Occurrence {
  readonly point: CrashPoint;
  readonly agent: string;
  /** Of a step or a question. */
  readonly key?: string;
  /** Of an event. */
  readonly type?: string;
}

/** What a storage answered to an intent. */
export interface Done<Kind extends IntentKind = IntentKind> {
  readonly intent: Intent & { readonly kind: Kind };
  readonly value: IntentValues[Kind];
}

type Readers = {
  readonly [Kind in IntentKind]?: (intent: IntentOf<Kind>, value: IntentValues[Kind]) => readonly Occurrence[];
};

/** Intents that are not here are no part of a run's own life: leases, threads, removals. */
const readers: Readers = {
  accept_run: (_, { run, outcome, claimed }) =>
    outcome === "existing" ? [] : [at("accepted", run), ...claims(claimed)],
  claim_runs: (_, runs) => runs.map((run) => at("claimed", run)),
  record_progress: ({ events, memos = [], checkpoint }, run) => [
    ...emitted(events, run),
    ...memos.filter(({ kind }) => kind === "step").map(({ key }) => ({ ...at("step", run), key })),
    ...(checkpoint === undefined ? [] : [at("checkpoint", run)]),
  ],
  settle_run: ({ events, outcome }, run) => [...emitted(events, run), ...asked(outcome, run), ...ends(run)],
  release_run: ({ events, why }, run) => [...emitted(events, run), ...waits(why, run), ...ends(run)],
  cancel_run: (_, { run, outcome }) =>
    outcome === "requested" ? [at("canceling", run)] : outcome === "settled" ? ends(run) : [],
  tend_run: (_, run) => (run === undefined ? [] : ends(run)),
  answer_questions: ({ answers }, { outcome, run, claimed }) =>
    outcome === "stale" ? [] : [...answers.map(({ key }) => ({ ...at("answered", run), key })), ...claims(claimed)],
};

/** The points that a commit reaches. */
export function occurrencesOf<Kind extends IntentKind>({ intent, value }: Done<Kind>): readonly Occurrence[] {
  const read = readers[intent.kind] as ((intent: Intent, value: unknown) => readonly Occurrence[]) | undefined;
  return read?.(intent, value) ?? [];
}

function at(point: CrashPoint, { agent }: RunRecord): Occurrence {
  return { point, agent };
}

function claims(claimed: RunRecord | undefined): readonly Occurrence[] {
  return claimed === undefined ? [] : [at("claimed", claimed)];
}

function emitted(events: SettleRun["events"], run: RunRecord): readonly Occurrence[] {
  return events.map(({ type }) => ({ ...at("event", run), type }));
}

/** A cancel that was requested comes before what the attempt wanted. */
function asked(outcome: SettleRun["outcome"], run: RunRecord): readonly Occurrence[] {
  if (outcome.status !== "interrupted" || run.status !== "interrupted") return [];
  return outcome.questions.map(({ key }) => ({ ...at("asked", run), key }));
}

function waits(why: ReleaseRun["why"], run: RunRecord): readonly Occurrence[] {
  if (run.status !== "pending" || why === "shutdown") return [];
  return [at(why === "retry" ? "retrying" : "suspended", run)];
}

/** Whoever asked a question goes on with the answer: that is no end. */
function ends(run: RunRecord): readonly Occurrence[] {
  return isSettled(run.status) && run.status !== "interrupted" ? [at("settled", run)] : [];
}
