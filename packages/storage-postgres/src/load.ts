/** Lock and read what a batch needs: all statements go in one flight. */

import type {
  CheckpointHead,
  CheckpointLink,
  KeyRecord,
  MemoRecord,
  OriginRecord,
  QuestionRecord,
  RunRecord,
  TombstoneRecord,
} from "@heddle/core/storage";
import { keyId, memoId, questionId } from "@heddle/core/storage";
import type { RunRow, ThreadRow } from "@heddle/storage-sql";
import { toRun, toThread } from "@heddle/storage-sql";
import { threadPrefix } from "./columns.js";
import type { Answer } from "./flight.js";
import type { LoadStatements } from "./load-statements.js";
import { LoadedRecords } from "./loaded-records.js";
import { type Bound, bound, type Row } from "./statement.js";
import type { ClaimWant, Wants } from "./wants.js";

export interface LoadOptions {
  /** Wait for threads that somebody else holds; otherwise they are reported as held. */
  readonly waits: boolean;
  /** Epoch ms; `null`: the server's clock. */
  readonly now: number | null;
}

/** One statement, and what becomes of its rows. */
interface Step {
  readonly bound: Bound;
  take(rows: readonly Row[]): void;
}

export interface Load {
  readonly statements: readonly Bound[];
  /** @param answers of the statements, in order */
  take(answers: readonly Answer[]): { readonly records: LoadedRecords; readonly now: number };
}

export function loadOf(texts: LoadStatements, wants: Wants, options: LoadOptions): Load {
  const records = new LoadedRecords();
  let now = 0;
  const clock: Step = {
    bound: bound(texts.now, options.now),
    take: ([row]) => {
      now = row?.["now"] as number;
    },
  };
  // The time is read last: nothing that was waited for happened after it.
  const steps = [...new Steps(texts, wants, records, options).inOrder(), clock];
  return {
    statements: steps.map((step) => step.bound),
    take: (answers) => {
      for (const [at, step] of steps.entries()) step.take(answers[at]?.rows ?? []);
      return { records, now };
    },
  };
}

class Steps {
  readonly #texts: LoadStatements;
  readonly #wants: Wants;
  readonly #records: LoadedRecords;
  readonly #options: LoadOptions;
  readonly #steps: Step[] = [];

  constructor(texts: LoadStatements, wants: Wants, records: LoadedRecords, options: LoadOptions) {
    this.#texts = texts;
    this.#wants = wants;
    this.#records = records;
    this.#options = options;
  }

  inOrder(): readonly Step[] {
    this.#threads();
    this.#runs();
    this.#runsOfThreads();
    this.#remembered();
    this.#memos();
    this.#questions();
    this.#checkpoints();
    for (const claim of this.#wants.claims) this.#claim(claim);
    return this.#steps;
  }

  #add(wanted: readonly unknown[], bound: () => Bound, take: (row: Row) => void): void {
    if (wanted.length === 0) return;
    this.#steps.push({ bound: bound(), take: (rows) => rows.forEach(take) });
  }

  #threads(): void {
    const { threads } = this.#wants;
    for (const id of threads) this.#records.asked.add(id);
    const { lockThreads, tryThreads } = this.#texts;
    const statement = this.#options.waits ? lockThreads : tryThreads;
    this.#add(
      threads,
      () => bound(statement, threads),
      (row) => this.#takeThread(row),
    );
  }

  #takeThread(row: Row): void {
    const id = row["id"] as string;
    if (row["createdAt"] === null) this.#records.held.add(id);
    else this.#records.threads.set(id, toThread(row as unknown as ThreadRow));
  }

  #runs(): void {
    const { runs, runsWithThreads, questionsOf, questionsOfRuns } = this.#wants;
    for (const id of runsWithThreads) this.#records.named.add(id);
    // A stateless lineage has no thread that guards its questions: the run that it begins with does.
    const wanted = [...runs, ...questionsOf];
    this.#add(
      wanted,
      () => bound(this.#texts.lockRuns, wanted, questionsOfRuns),
      (row) => this.#takeRun(row),
    );
  }

  /** What was locked before counts. */
  #takeRun(row: Row): RunRecord {
    const { runs } = this.#records;
    const known = runs.get(row["id"] as string);
    if (known !== undefined) return known;
    const run = toRun(row as unknown as RunRow);
    runs.set(run.id, run);
    return run;
  }

  #runsOfThreads(): void {
    const { activeRunsOf, queuesOf, queueDepth, steeredOf, unsettledOf, waitingOf, waitingIfSupersedingOf } =
      this.#wants;
    const { activeRuns, queues, steeredRuns, unsettledRuns, waitingRuns, waitingRunsIfSuperseding } = this.#texts;
    const records = this.#records;
    const takeWaiting = (row: Row): void => {
      const run = this.#takeRun(row);
      group(run.steers === null ? records.queues : records.steered, run);
    };
    this.#add(
      activeRunsOf,
      () => bound(activeRuns, activeRunsOf),
      (row) => this.#takeRun(row),
    );
    this.#add(
      queuesOf,
      () => bound(queues, queuesOf, queueDepth),
      (row) => group(records.queues, this.#takeRun(row)),
    );
    this.#add(waitingOf, () => bound(waitingRuns, waitingOf), takeWaiting);
    this.#add(waitingIfSupersedingOf, () => bound(waitingRunsIfSuperseding, waitingIfSupersedingOf), takeWaiting);
    this.#add(
      steeredOf,
      () => bound(steeredRuns, steeredOf),
      (row) => group(records.steered, this.#takeRun(row)),
    );
    this.#add(
      unsettledOf,
      () => bound(unsettledRuns, unsettledOf),
      (row) => group(records.unsettled, this.#takeRun(row)),
    );
  }

  #remembered(): void {
    const { tombstonesOf, keys } = this.#wants;
    const { tombstones } = this.#records;
    this.#add(
      tombstonesOf,
      () => bound(this.#texts.tombstones, tombstonesOf),
      (row) => {
        tombstones.set(row["threadId"] as string, row as unknown as TombstoneRecord);
      },
    );
    const wanted = [keys.map(({ scope }) => scope), keys.map(({ agent }) => agent), keys.map(({ key }) => key)];
    this.#add(
      keys,
      () => bound(this.#texts.keys, ...wanted),
      (row) => {
        const key = row as unknown as KeyRecord;
        this.#records.keys.set(keyId(key), key);
      },
    );
    this.#add(
      keys,
      () => bound(this.#texts.runsOfKeys, ...wanted),
      (row) => this.#takeRun(row),
    );
  }

  #memos(): void {
    const { memos } = this.#wants;
    const wanted = [
      memos.map(({ lineageId }) => lineageId),
      memos.map(({ kind }) => kind),
      memos.map(({ key }) => key),
    ];
    this.#add(
      memos,
      () => bound(this.#texts.memos, ...wanted),
      (row) => {
        const memo = row as unknown as MemoRecord;
        this.#records.memos.set(memoId(memo), memo);
      },
    );
    this.#add(
      memos.filter(({ kind }) => kind === "child"),
      () => bound(this.#texts.runsOfMemos, ...wanted),
      (row) => this.#takeRun(row),
    );
  }

  #questions(): void {
    const { questionsOf, questionsOfRuns, questionsOfThreads } = this.#wants;
    const wanted = [...questionsOf, ...questionsOfRuns, ...questionsOfThreads];
    this.#add(
      wanted,
      () => bound(this.#texts.questions, questionsOf, questionsOfRuns, questionsOfThreads),
      (row) => {
        const question = row as unknown as QuestionRecord;
        this.#records.questionsById.set(questionId(question), question);
      },
    );
    this.#add(
      wanted,
      () => bound(this.#texts.runsOfQuestions, questionsOf, questionsOfRuns, questionsOfThreads),
      (row) => this.#takeRun(row),
    );
  }

  #checkpoints(): void {
    const { checkpoints, checkpointsOf, linksOf, linksIfCopiedOf } = this.#wants;
    const { heads, named, origins, links, linksIfCopied } = this.#texts;
    const records = this.#records;
    const takeHead = (row: Row): void => {
      records.checkpoints.set(row["id"] as string, row as unknown as CheckpointHead);
    };
    const takeLink = (row: Row): void => {
      records.links.set(row["id"] as string, row as unknown as CheckpointLink & { readonly threadId: string });
    };
    this.#add(checkpoints, () => bound(named, checkpoints), takeHead);
    this.#add(checkpointsOf, () => bound(heads, checkpointsOf), takeHead);
    this.#add(
      checkpointsOf,
      () => bound(origins, checkpointsOf),
      (row) => {
        records.origins.push(row as unknown as OriginRecord);
      },
    );
    this.#add(linksOf, () => bound(links, linksOf), takeLink);
    this.#add(linksIfCopiedOf, () => bound(linksIfCopied, linksIfCopiedOf), takeLink);
  }

  #claim({ agents, limit, peek }: ClaimWant): void {
    const { claims, peeks } = this.#records;
    const id = JSON.stringify(agents);
    const values = (count: number) => [agents, count, this.#wants.runsWithThreads, this.#options.now];
    if (limit > 0) {
      claims.set(id, []);
      const take = (row: Row) => claims.get(id)?.push(this.#takeClaim(row));
      this.#add([id], () => bound(this.#texts.claim, ...values(limit)), take);
    }
    if (peek > 0) {
      peeks.set(id, []);
      const take = (row: Row) => peeks.get(id)?.push(toRun(row as unknown as RunRow));
      this.#add([id], () => bound(this.#texts.peek, ...values(peek)), take);
    }
  }

  #takeClaim(row: Row): RunRecord {
    const [run, thread] = parted(row);
    const { threads } = this.#records;
    if (thread["id"] !== null && !threads.has(thread["id"] as string)) this.#takeThread(thread);
    const claimable = toRun(run as unknown as RunRow);
    this.#records.runs.set(claimable.id, claimable);
    return claimable;
  }
}

/** A run and its thread from one row. */
function parted(row: Row): readonly [Row, Row] {
  const run: Row = {};
  const thread: Row = {};
  for (const [name, value] of Object.entries(row)) {
    if (name.startsWith(threadPrefix)) thread[name.slice(threadPrefix.length)] = value;
    else run[name] = value;
  }
  return [run, thread];
}

function group(groups: Map<string, RunRecord[]>, run: RunRecord): void {
  const id = run.threadId as string;
  const known = groups.get(id);
  if (known === undefined) groups.set(id, [run]);
  else known.push(run);
}
