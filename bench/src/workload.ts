/** The work that is measured, the same for Heddle and for the raw driver. */

export interface Sizes {
  /** Stateless runs, `atOnce` of them at a time. */
  readonly runs: number;
  /** Runs one after the other. */
  readonly single: number;
  readonly threads: number;
  readonly turnsEach: number;
  /** Turns of the one long thread. */
  readonly longThread: number;
  readonly repetitions: number;
}

export const atOnce = 64;
export const standard: Sizes = {
  runs: 5_000,
  single: 500,
  threads: 200,
  turnsEach: 20,
  longThread: 1_000,
  repetitions: 7,
};
export const quick: Sizes = { runs: 1_500, single: 150, threads: 100, turnsEach: 10, longThread: 300, repetitions: 3 };

/** The turns of the long thread at whose time and bytes the report looks, each with the hundred turns before it. */
export const marks = ({ longThread }: Sizes): readonly number[] => [50, longThread / 2, longThread];
export const markWidth = (mark: number): number => Math.min(mark, 100);

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

/** Call `work` for 0 to `count` - 1, `width` at a time. */
export async function inLanes(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
