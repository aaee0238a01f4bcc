/** Processor time of the PostgreSQL server that the benchmarks started: of its main process and all that it forked. */

import { readdirSync, readFileSync } from "node:fs";

/** Its process id, handed to each measuring process. */
export const serverPidVariable = "HEDDLE_BENCH_SERVER_PID";

/** The kernel counts in hundredths of a second. */
const msPerTick = 10;

/** 0 where there is no server, or no /proc to look into. */
export function serverCpuMs(): number {
  const main = process.env[serverPidVariable];
  if (main === undefined || process.platform !== "linux") return 0;
  let ticks = 0;
  for (const pid of readdirSync("/proc")) {
    const times = /^\d+$/.test(pid) ? timesOf(pid) : undefined;
    // The main process also answers for children that have ended.
    if (pid === main) ticks += sum(times?.ticks ?? []);
    else if (times?.parent === main) ticks += sum(times.ticks.slice(0, 2));
  }
  return ticks * msPerTick;
}

/** user, system, and the same of its ended children. */
function timesOf(pid: string): { readonly parent: string; readonly ticks: readonly number[] } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Behind the command in parentheses, which may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { parent: fields[1] ?? "", ticks: fields.slice(11, 15).map(Number) };
  } catch {
    return undefined; // it ended meanwhile
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
