/** Where a process is to die, as its test said. Each place counts once; then it is forgotten. */

import { checkText, requireOptions } from "../../engine/check-input.js";
import { invalidArgument, requireOneOf } from "../../engine/settings.js";
import type { CrashPoint, Occurrence } from "./crash-point.js";
import { crashPoints } from "./crash-point.js";

/** `before`: the commit is under way and comes to nothing. `after`: it is done, and nobody was told of it. */
export type CrashAt = (
  | { readonly before: CrashPoint; readonly after?: never }
  | { readonly after: CrashPoint; readonly before?: never }
) & {
  /** Of a run of this agent. Default: of any. */
  readonly agent?: string;
  /** Of a step or a question. */
  readonly key?: string;
  /** Of an event. */
  readonly type?: string;
  /** The nth time that all this is so. Default 1. */
  readonly nth?: number;
};

type When = "before" | "after";

interface Place {
  readonly given: CrashAt;
  readonly when: When;
  readonly point: CrashPoint;
  left: number;
}

const fields = ["before", "after", "agent", "key", "type", "nth"];
const keyed: readonly CrashPoint[] = ["step", "asked", "answered"];

export class CrashPlan {
  readonly #places = new Set<Place>();

  /** @throws HeddleError INVALID_ARGUMENT naming the field */
  add(given: CrashAt): void {
    this.#places.add(checkPlace(given));
  }

  /** Places that were not reached. */
  get open(): readonly CrashAt[] {
    return [...this.#places].map(({ given }) => given);
  }

  awaits(when: When): boolean {
    return [...this.#places].some((place) => place.when === when);
  }

  /** Counts what a commit reaches. Is one of it where the process is to die? */
  strikes(when: When, occurrences: readonly Occurrence[]): boolean {
    const reached = occurrences.flatMap((occurrence) => this.#count(when, occurrence));
    const [first] = reached;
    return first !== undefined && this.#places.delete(first);
  }

  #count(when: When, occurrence: Occurrence): readonly Place[] {
    const places = [...this.#places].filter((place) => place.when === when && isAt(place, occurrence));
    return places.filter((place) => --place.left <= 0);
  }
}

function isAt({ point, given }: Place, occurrence: Occurrence): boolean {
  const { agent = occurrence.agent, key = occurrence.key, type = occurrence.type } = given;
  return point === occurrence.point && agent === occurrence.agent && key === occurrence.key && type === occurrence.type;
}

function checkPlace(given: CrashAt): Place {
  requireOptions("where", given);
  for (const field of Object.keys(given)) requireOneOf("where", field, fields);
  const { before, after, agent, key, type, nth = 1 } = given;
  if ((before === undefined) === (after === undefined)) throw invalidArgument("before", before, "given, or else after");
  const [when, point] = before === undefined ? (["after", after] as const) : (["before", before] as const);
  requireOneOf(when, point, crashPoints);
  for (const [field, value] of Object.entries({ agent, key, type })) checkText(field, value);
  if (key !== undefined && !keyed.includes(point)) throw invalidArgument("key", key, `absent: ${point} has no key`);
  if (type !== undefined && point !== "event") throw invalidArgument("type", type, `absent: ${point} has no type`);
  if (!Number.isSafeInteger(nth) || nth < 1) throw invalidArgument("nth", nth, "a whole number of at least 1");
  return { given, when, point, left: nth };
}
