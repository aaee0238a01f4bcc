/** Runs an agent's function in this process: no isolation, no copying, values keep their identity. */

import type { AttemptResult, Executor } from "../ports/executor.js";
import { agentContext } from "./agent-context.js";

interface InlineAgent {
  readonly name: string;
  run(context: object): unknown;
}

export const inlineExecutor: Executor = {
  name: "inline",
  sharesMemory: true,
  async execute(attempt, session): Promise<AttemptResult> {
    const agent = attempt.agent as InlineAgent;
    const result: unknown = await agent.run(agentContext(attempt, session));
    return (result ?? {}) as AttemptResult;
  },
};
