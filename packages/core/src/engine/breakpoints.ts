/** Where a run stops at named steps: a question that anything answers. */

import type { Breakpoints } from "../model/run.js";
import { requireOptions } from "./check-input.js";
import { invalidArgument } from "./settings.js";

export type BreakPlace = keyof Breakpoints;

const prefix = "breakpoint:";

/** The question that stands for a breakpoint. */
export function breakpointKey(place: BreakPlace, step: string): string {
  return `${prefix}${place}:${step}`;
}

/** Keys that an agent cannot give to its own questions. */
export function isBreakpointKey(key: unknown): boolean {
  return typeof key === "string" && key.startsWith(prefix);
}

export function breaks(breakpoints: Breakpoints, place: BreakPlace, step: string): boolean {
  const steps = breakpoints[place];
  return steps === "*" || (steps?.includes(step) ?? false);
}

/** @throws HeddleError INVALID_ARGUMENT naming the field */
export function checkBreakpoints(breakpoints: Breakpoints): Breakpoints {
  requireOptions("breakpoints", breakpoints);
  for (const place of ["before", "after"] as const) {
    const steps: unknown = breakpoints[place];
    const fits = Array.isArray(steps) && steps.every((step) => typeof step === "string");
    if (steps === undefined || steps === "*" || fits) continue;
    throw invalidArgument(`breakpoints.${place}`, steps, 'a list of step keys, or "*"');
  }
  const { before, after } = breakpoints;
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}
