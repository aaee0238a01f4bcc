/** One command of a client: noted when it is given, and again when it is answered. */

import { HeddleError } from "../../errors.js";
import type { Answer, AnswerValue, Command } from "./history.js";
import type { Place } from "./place.js";
import type { Recorder } from "./recorder.js";
import { codeOf } from "./scripted-agent.js";

export interface Caller {
  readonly name: string;
  readonly recorder: Recorder;
  /** Calls that are not answered yet. */
  readonly open: Set<number>;
}

/** Never rejects: the answer says how it went. */
export async function call(
  caller: Caller,
  place: Place,
  command: Command,
  carryOut: (number: number) => Promise<AnswerValue>,
): Promise<Answer> {
  const { recorder, open } = caller;
  const number = recorder.nextCall();
  recorder.note({ type: "call", call: number, client: caller.name, worker: place.name, command });
  open.add(number);
  // The call reaches the process when it has its turn: a paused one hears nothing.
  const answered = place.turn().then(() => carryOut(number));
  const lost = place.died.then((): Answer => ({ type: "lost" }));
  const answer = await Promise.race([answered.then(ok, failed), lost]);
  open.delete(number);
  recorder.note({ type: "answer", call: number, answer });
  return answer;
}

function ok(value: AnswerValue): Answer {
  return { type: "ok", value };
}

/** After these nobody knows whether the command was carried out. */
const unclear: ReadonlySet<string> = new Set(["STORAGE_UNAVAILABLE", "ENGINE_CLOSED"]);

function failed(error: unknown): Answer {
  const code = codeOf(error);
  if (unclear.has(code)) return { type: "unknown", code };
  const active = HeddleError.is(error, "THREAD_BUSY") ? error.details.activeRunId : undefined;
  return { type: "refused", code, activeRunId: typeof active === "string" ? active : null };
}
