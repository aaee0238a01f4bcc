/**
 * Rows in order: insert and remove cost little however many there are, and walking in order changes nothing. A list of
 * short sorted arrays: moving a thousand pointers inside one of them is cheaper than a tree's nodes.
 */

const maxChunk = 1024;

export class SortedList<Row> {
  readonly #compare: (a: Row, b: Row) => number;
  readonly #chunks: Row[][] = [];

  /** @param compare a total order: 0 only for what counts as the same row */
  constructor(compare: (a: Row, b: Row) => number) {
    this.#compare = compare;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  first(): Row | undefined {
    return this.#chunks[0]?.[0];
  }

  insert(row: Row): void {
    const at = Math.min(this.#chunkOf(row), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([row]);
      return;
    }
    chunk.splice(this.#placeIn(chunk, row), 0, row);
    if (chunk.length > maxChunk) this.#chunks.splice(at + 1, 0, chunk.splice(maxChunk / 2));
  }

  /** Remove the row that compares as the same. */
  remove(row: Row): void {
    const at = this.#chunkOf(row);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const place = this.#placeIn(chunk, row);
    const found = chunk[place];
    if (found === undefined || this.#compare(found, row) !== 0) return;
    chunk.splice(place, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** From the first row on. The list must not change meanwhile. */
  *[Symbol.iterator](): Generator<Row, undefined> {
    for (const chunk of this.#chunks) yield* chunk;
  }

  /** From the last row down. The list must not change meanwhile. */
  *descending(): Generator<Row, undefined> {
    for (let at = this.#chunks.length - 1; at >= 0; at--) {
      const chunk = this.#chunks[at] as Row[];
      for (let place = chunk.length - 1; place >= 0; place--) yield chunk[place] as Row;
    }
  }

  /** The first chunk that ends at `row` or behind it. */
  #chunkOf(row: Row): number {
    return lowerBound(this.#chunks.length, (at) => {
      const chunk = this.#chunks[at] as Row[];
      return this.#compare(chunk[chunk.length - 1] as Row, row) < 0;
    });
  }

  #placeIn(chunk: readonly Row[], row: Row): number {
    return lowerBound(chunk.length, (at) => this.#compare(chunk[at] as Row, row) < 0);
  }
}

/** The first index that is not below; `isBelow` holds up to it and not from there on. */
function lowerBound(length: number, isBelow: (at: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBelow(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
