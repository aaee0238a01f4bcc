import { pause } from "./pause.js";
import { isConnectionLoss } from "./storage-errors.js";

const mostTries = 6;
const firstPause = 5;

/**
 * Again, where a connection turns out to be dead before anything was done on it: when a server restarts, each idle client
 * of a pool is one, until the pool has noticed. A server that is away for longer is the caller's business.
 */
export async function despiteLosses<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isConnectionLoss(error) || tries === mostTries) throw error;
    }
    await pause(firstPause * 2 ** (tries - 1));
  }
}
