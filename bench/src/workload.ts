/** The work that is measured, the same for every system. */

export interface Sizes {
  /** Stateless runs, `atOnce` of them at a time. */
  readonly runs: number;
  /** Runs one after the other. */
  readonly single: number;
  readonly threads: number;
  readonly turnsEach: number;
  /** Turns of the one long thread. */
  readonly longThread: number;
  /** Deltas to one reader, and durable events of one run. */
  readonly frames: number;
  /** Runs that a killed process leaves behind. */
  readonly orphans: number;
  /** Results that somebody in another process waits for. */
  readonly waits: number;
  /** ms for which an idle engine is watched. */
  readonly idle: number;
}

export interface Method {
  readonly sizes: Sizes;
  /** Of systems that a bound is about. */
  readonly bounded: Effort;
  /** Of systems that are only shown. */
  readonly shown: Effort;
}

export interface Effort {
  /** Interleaved repetitions: each is a pair of whatever is compared. */
  readonly repetitions: number;
  /** A cell goes on, round after round, until it took so many ms. */
  readonly leastMs: number;
}

export const atOnce = 64;
/** Deltas between two turns of the event loop; events that are made durable together. */
export const burst = 100;

const fullSizes: Sizes = {
  runs: 5_000,
  single: 500,
  threads: 200,
  turnsEach: 20,
  longThread: 1_000,
  frames: 10_000,
  orphans: 100,
  waits: 100,
  idle: 30_000,
};

export const methods = {
  full: {
    sizes: fullSizes,
    bounded: { repetitions: 7, leastMs: 5_000 },
    shown: { repetitions: 5, leastMs: 2_000 },
  },
  quick: {
    sizes: { ...fullSizes, runs: 2_000, single: 200, threads: 100, longThread: 300, idle: 12_000 },
    bounded: { repetitions: 3, leastMs: 500 },
    shown: { repetitions: 3, leastMs: 500 },
  },
  /** Only to see that everything works. */
  tiny: {
    sizes: {
      runs: 128,
      single: 10,
      threads: 8,
      turnsEach: 3,
      longThread: 20,
      frames: 500,
      orphans: 5,
      waits: 5,
      idle: 2_000,
    },
    bounded: { repetitions: 1, leastMs: 0 },
    shown: { repetitions: 1, leastMs: 0 },
  },
} satisfies Record<string, Method>;

/** The turns of the long thread at whose time and bytes the report looks: a tenth, half, all; and turn 50. */
export function marks({ longThread }: Sizes): readonly number[] {
  return [...new Set([50, longThread / 10, longThread / 2, longThread])]
    .filter((mark) => mark <= longThread)
    .sort(byNumber);
}

function byNumber(a: number, b: number): number {
  return a - b;
}

export interface Message {
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** A question of 0.2 KB and an answer of 0.8 KB, the JSON around them included. */
export function question(turn: number): Message {
  return { id: `m${2 * turn}`, role: "user", text: textOf(turn, 160) };
}

export function answer(turn: number): Message {
  return { id: `m${2 * turn + 1}`, role: "assistant", text: textOf(turn, 755) };
}

function textOf(turn: number, length: number): string {
  const words = `Turn ${turn}: the heddle is the part of a loom that holds each thread and lets one pass at a time. `;
  return words.repeat(Math.ceil(length / words.length)).slice(0, length);
}

/** What a token or a durable event carries. */
export function frame(index: number): { readonly index: number; readonly text: string } {
  return { index, text: "a piece of text" };
}

/** Call `work` for 0 to `count` - 1, `width` at a time. */
export async function inLanes(count: number, width: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

/** Let the event loop go round once. */
export function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
