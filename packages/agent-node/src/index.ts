/** For agents of Heddle that run in a process or a container of their own. */

export type {
  AgentContext,
  AgentFunction,
  AgentResult,
  Child,
  InterruptOptions,
  SteeredMessage,
  StepContext,
  StepOptions,
} from "./context.js";
export { EngineError } from "./context.js";
export { serve } from "./serve.js";
export { REMOVE } from "./values.js";
