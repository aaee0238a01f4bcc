/**
 * A name for a process that no other has, on any machine, at any time: which start of which kernel, which namespace of
 * process ids, which id, started when. Only Linux tells all that; elsewhere a dead process is found by its runs alone.
 */

import { readFileSync, readlinkSync } from "node:fs";

/** `undefined` where the system does not tell. */
export const thisProcess: string | undefined = nameOf(process.pid);

/** Surely dead: its name is of this kernel and namespace, and nobody has it. */
export function isDead(name: string): boolean {
  const here = thisProcess?.split(" ");
  const [boot, namespace, pid] = name.split(" ");
  if (here === undefined || boot !== here[0] || namespace !== here[1]) return false;
  return nameOf(Number(pid)) !== name;
}

function nameOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const startedAt = statusFields(pid)[19];
    return isGone(pid) ? undefined : [boot, readlinkSync("/proc/self/ns/pid"), pid, startedAt].join(" ");
  } catch {
    return undefined;
  }
}

/** Killed, though its parent has not looked yet. */
function isGone(pid: number): boolean {
  return /^[ZX]/.test(statusFields(pid)[0] ?? "");
}

/** Behind the command's name, which may hold anything. */
function statusFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
