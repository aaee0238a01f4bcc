export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Real time: a signal is on its way. */
export async function untilGone(pid: number): Promise<void> {
  for (let round = 0; round < 1_000 && isAlive(pid); round++) await new Promise((resolve) => setTimeout(resolve, 10));
  if (isAlive(pid)) throw new Error(`process ${pid} is still there`);
}
