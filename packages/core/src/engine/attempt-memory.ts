/**
 * What an attempt finds done by earlier attempts of its lineage. Read at once when the attempt begins; where there is more
 * than one read brings, the rest is looked up one by one. So the cost of a step does not depend on how many are done.
 */

import { HeddleError } from "../errors.js";
import type { MemoKind } from "../model/memo.js";
import { memoId } from "../model/memo.js";
import type { RunRecord } from "../model/run.js";
import type { LineageReader } from "../ports/storage.js";
import { checkId } from "./check-input.js";
import type { Core } from "./core.js";
import { persist } from "./persist.js";

/** Memos read at once. */
const atOnce = 1_000;

/** What a key names: a memo of that kind, or a question. */
export type KeyKind = MemoKind | "question";

export class AttemptMemory {
  readonly #core: Core;
  readonly #lineageId: string;
  readonly #known: ReadonlyMap<string, string | null>;
  readonly #isComplete: boolean;
  readonly #used = new Set<string>();

  private constructor(core: Core, lineageId: string, known: ReadonlyMap<string, string | null>, isComplete: boolean) {
    this.#core = core;
    this.#lineageId = lineageId;
    this.#known = known;
    this.#isComplete = isComplete;
  }

  /** Of a lineage's first attempt: it knows without a look that nothing is remembered. */
  static blank(core: Core, lineageId: string): AttemptMemory {
    return new AttemptMemory(core, lineageId, new Map(), true);
  }

  static async load(core: Core, { lineageId, id, attempt }: RunRecord): Promise<AttemptMemory> {
    if (attempt === 1 && id === lineageId) return AttemptMemory.blank(core, lineageId);
    const memos = await read(core, (lineages) => lineages.memos(lineageId, atOnce));
    const known = new Map(memos.map((memo) => [memoId(memo), memo.body]));
    return new AttemptMemory(core, lineageId, known, memos.length < atOnce);
  }

  /** Give a key to one call of this attempt. @throws HeddleError DUPLICATE_KEY, INVALID_ID */
  claimKey(kind: KeyKind, key: unknown): string {
    const name = checkId(`${kind} key`, key, this.#core.settings.limits);
    const used = `${kind}:${name}`;
    if (this.#used.has(used)) throw duplicateKey(kind, name);
    this.#used.add(used);
    return name;
  }

  /** The body of a memo; `undefined`: there is none. */
  async recall(kind: MemoKind, key: string): Promise<string | null | undefined> {
    const ref = { lineageId: this.#lineageId, kind, key };
    const known = this.#known.get(memoId(ref));
    if (known !== undefined || this.#isComplete) return known;
    return (await read(this.#core, (lineages) => lineages.memo(ref)))?.body;
  }
}

function read<Value>(core: Core, ask: (lineages: LineageReader) => Promise<Value>): Promise<Value> {
  return persist(core, () => ask(core.storage.lineages));
}

function duplicateKey(kind: KeyKind, key: string): HeddleError {
  return new HeddleError(
    "DUPLICATE_KEY",
    `The ${kind} key "${key}" was used before in this attempt: a second use would get what the first one got. Number your keys, as in "${key}-2".`,
    { details: { kind, key } },
  );
}
