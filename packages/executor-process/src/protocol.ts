/** For authors of executors: the protocol, and a conversation in it with a program that runs somewhere. */

export type { AgentProgram, ProgramExit } from "./agent-program.js";
export type { ArtifactFile, ArtifactSource } from "./artifacts.js";
export { invalidArtifact, tooMany } from "./artifacts.js";
export type { ConversationOptions } from "./conversation.js";
export { converse } from "./conversation.js";
export type { ProgramLimits } from "./limits.js";
export { defaultLimits, resolveLimits } from "./limits.js";
export { LiveAttempts } from "./live-attempts.js";
export { runPlainCommand } from "./plain-command.js";
export type { AgentFrame, EngineFrame, ErrorFields, PatchOperation, StartFrame } from "./protocol/frames.js";
export { parseAgentFrame, protocolVersion } from "./protocol/frames.js";
export type { Secrets, SecretsSource } from "./secrets.js";
export { readSecrets } from "./secrets.js";
