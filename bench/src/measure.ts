/** Every system does every kind of work, in turn, several times: what disturbs the machine disturbs all of them. */

import type { LongThread, System } from "./system.js";
import type { Sizes } from "./workload.js";

export const kinds = ["stateless", "single", "threads", "longThread"] as const;
export type Kind = (typeof kinds)[number];

/** Of one system, one entry per repetition. */
export interface Samples {
  readonly stateless: number[];
  readonly single: (readonly number[])[];
  readonly threads: number[];
  readonly longThread: LongThread[];
}

export type Progress = (done: number, total: number, what: string) => void;

export async function measure(
  systems: readonly System[],
  sizes: Sizes,
  progress: Progress,
): Promise<Map<string, Samples>> {
  const measured = systems.map((system) => ({ system, samples: noSamples() }));
  const total = (sizes.repetitions + 1) * systems.length * kinds.length;
  let done = 0;
  // The first round warms up the compiler and the disk's cache, and is thrown away.
  for (let round = 0; round <= sizes.repetitions; round++) {
    for (const kind of kinds) {
      for (const { system, samples } of measured) {
        progress(
          done++,
          total,
          `${round === 0 ? "warm-up" : `${round}/${sizes.repetitions}`}  ${kind}  ${system.name}`,
        );
        const sample = await system[kind](sizes);
        if (round > 0) (samples[kind] as unknown[]).push(sample);
      }
    }
  }
  progress(total, total, "done");
  return new Map(measured.map(({ system, samples }) => [system.name, samples]));
}

function noSamples(): Samples {
  return { stateless: [], single: [], threads: [], longThread: [] };
}
