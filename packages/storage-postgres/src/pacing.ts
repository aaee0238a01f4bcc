/**
 * How long to gather what comes up before it is seen to again: not at all where it is rare, so that what stands alone is
 * known at once, and longer the longer it goes on, so that much of it costs little more.
 */

/** ms */
const shortest = 1;
const longest = 20;

export class Pacing {
  #gap = shortest;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** ms until what came up now may be seen to. */
  wait(): number {
    const since = performance.now() - this.#seenAt;
    if (since > 2 * this.#gap) this.#gap = shortest;
    return Math.max(0, this.#gap - since);
  }

  /** It was seen to. */
  note(): void {
    this.#seenAt = performance.now();
    this.#gap = Math.min(2 * this.#gap, longest);
  }
}
