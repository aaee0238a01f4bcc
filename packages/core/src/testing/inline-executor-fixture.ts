import { inlineExecutor } from "../adapters/inline-executor.js";
import { executorAgents } from "./conformance/executor-agents.js";
import type { ExecutorFixture } from "./conformance/executor-conformance.js";

/** The inline executor as the conformance suite wants it. */
export function inlineExecutorFixture(): ExecutorFixture {
  const agentOf: ExecutorFixture["agentOf"] = (name) => {
    const agent = { name, run: executorAgents[name] };
    return agent;
  };
  return { executor: inlineExecutor, agentOf };
}
