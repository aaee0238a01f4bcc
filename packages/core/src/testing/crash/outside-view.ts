/**
 * An engine as its host sees it from outside of its process: whoever waits for a call hears of the process's death. The
 * engine itself knows nothing of it; its own calls just never come back.
 */

import { RunHandle } from "../../engine/run-handle.js";
import { Runs } from "../../engine/runs.js";
import { ThreadHandle } from "../../engine/thread-handle.js";
import { Threads } from "../../engine/threads.js";
import type { MortalProcess } from "./mortal-process.js";

const parts = [Runs, Threads, RunHandle, ThreadHandle];

/** `target`, and all that its calls hand out: handles, streams, lists of them. */
export function outsideView<Target extends object>(target: Target, process: MortalProcess): Target {
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return seen(member, process);
      return (...given: unknown[]) => {
        const answer: unknown = member.apply(target, given);
        return answer === target ? outsideView(target, process) : seen(answer, process);
      };
    },
  });
}

function seen(answer: unknown, process: MortalProcess): unknown {
  if (typeof answer !== "object" || answer === null) return answer;
  if (isPromise(answer)) return process.outside(answer.then((value) => seen(value, process)));
  if (Array.isArray(answer)) return answer.map((each) => seen(each, process));
  const isPart = parts.some((part) => answer instanceof part) || isStream(answer);
  return isPart ? outsideView(answer, process) : answer;
}

function isPromise(value: object): value is Promise<unknown> {
  return "then" in value && typeof value.then === "function";
}

function isStream(value: object): value is AsyncGenerator {
  return Symbol.asyncIterator in value && "next" in value;
}
