import { RunningAttempt } from "./attempt.js";
import { Channel, type EngineFrame } from "./channel.js";
import type { AgentFunction } from "./context.js";

/**
 * Run the attempt that this process was started for, then end. Prints go to standard error, which is the agent's log.
 *
 * @param agents the agent, or several by their names
 *
 * @example
 * ```ts
 * serve(async ({ input, emit }) => {
 *   await emit("assistant_message", { content: "Looking …" });
 *   return { output: await lookUp(input) };
 * });
 * ```
 */
export function serve(agents: AgentFunction | Readonly<Record<string, AgentFunction>>): void {
  const channel = new Channel();
  let attempt: RunningAttempt | undefined;
  channel.send({ type: "hello", protocol: 1 });
  channel.listen(
    (frame) => {
      if (frame.type !== "start") return attempt?.take(frame);
      attempt = new RunningAttempt(channel, frame);
      void attempt.run(agentFor(agents, frame));
    },
    // Answered, or nobody is there any more who could hear an answer.
    () => process.exit(),
  );
}

function agentFor(agents: Parameters<typeof serve>[0], { agent: name }: EngineFrame): AgentFunction {
  if (typeof agents === "function") return agents;
  const agent = Object.hasOwn(agents, name as string) ? agents[name as string] : undefined;
  if (agent !== undefined) return agent;
  return () => {
    throw new Error(`there is no agent "${String(name)}" here`);
  };
}
