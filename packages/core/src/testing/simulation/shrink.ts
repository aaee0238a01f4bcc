/** From a failing plan to a small one: parts are left out for as long as what is left still breaks the same promise. */

import type { Plan } from "./plan.js";
import type { SimulationOptions, SimulationResult } from "./simulate.js";
import { simulate } from "./simulate.js";

/**
 * What of a plan is kept, by name: `c0.3` is the fourth step of the first client, `f2` the third fault, `w1` the second
 * worker; `shuffle`, `burst` and `delay` say that turns are shuffled, go in bursts, and that calls take their time.
 */
export type Parts = readonly string[];

export interface Shrunk {
  readonly parts: Parts;
  readonly result: SimulationResult;
  /** How many simulations it took. */
  readonly tries: number;
}

export interface ShrinkOptions extends SimulationOptions {
  /** Simulations at most. Default 400. */
  readonly tries?: number;
}

export function partsOf(plan: Plan): Parts {
  const steps = plan.clients.flatMap(({ steps }, client) => steps.map((_, step) => `c${client}.${step}`));
  const faults = plan.faults.map((_, index) => `f${index}`);
  // The first worker has every agent: somebody must be there.
  const workers = plan.workers.slice(1).map((_, index) => `w${index + 1}`);
  return [...steps, ...faults, ...workers, ...styles(plan)];
}

/** The plan with nothing but these parts. */
export function keep(plan: Plan, parts: Parts): Plan {
  const kept = new Set(parts);
  const workers = plan.workers.filter((_, index) => index === 0 || kept.has(`w${index}`));
  return {
    ...plan,
    workers,
    clients: plan.clients
      .map(({ worker, steps }, client) => ({
        worker: worker % workers.length,
        steps: steps.filter((_, step) => kept.has(`c${client}.${step}`)),
      }))
      .filter(({ steps }) => steps.length > 0),
    faults: plan.faults.filter((_, index) => kept.has(`f${index}`)),
    scheduling: { shuffles: kept.has("shuffle"), bursts: kept.has("burst") },
    storage: { ...plan.storage, delay: kept.has("delay") ? plan.storage.delay : 0 },
  };
}

function styles({ scheduling, storage }: Plan): string[] {
  return [
    ...(scheduling.shuffles ? ["shuffle"] : []),
    ...(scheduling.bursts ? ["burst"] : []),
    ...(storage.delay > 0 ? ["delay"] : []),
  ];
}

/** Halves first, then smaller and smaller pieces ("delta debugging": Zeller, 1999), until no single part can go. */
export async function shrink(failing: SimulationResult, plan: Plan, options: ShrinkOptions = {}): Promise<Shrunk> {
  const rule = failing.violations[0]?.rule;
  const most = options.tries ?? 400;
  let parts: Parts = partsOf(plan);
  let result = failing;
  let tries = 0;
  for (let size = Math.ceil(parts.length / 2); size >= 1; ) {
    let hasShrunk = false;
    for (let from = 0; from < parts.length && tries < most; ) {
      const fewer = [...parts.slice(0, from), ...parts.slice(from + size)];
      tries++;
      const tried = await simulate(keep(plan, fewer), options);
      if (tried.violations.some((violation) => violation.rule === rule)) {
        [parts, result, hasShrunk] = [fewer, tried, true];
      } else from += size;
    }
    if (tries >= most || (size === 1 && !hasShrunk)) break;
    size = hasShrunk && size === 1 ? 1 : Math.max(Math.floor(size / 2), 1);
  }
  return { parts, result, tries };
}
