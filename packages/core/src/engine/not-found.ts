import { HeddleError } from "../errors.js";

export function runNotFound(runId: string): HeddleError {
  return new HeddleError("RUN_NOT_FOUND", `There is no run "${runId}".`, { details: { runId } });
}

export function runGone(runId: string): HeddleError {
  return new HeddleError("RUN_GONE", `Run "${runId}" was deleted.`, { details: { runId } });
}

export function threadNotFound(threadId: string): HeddleError {
  return new HeddleError("THREAD_NOT_FOUND", `There is no thread "${threadId}".`, { details: { threadId } });
}
