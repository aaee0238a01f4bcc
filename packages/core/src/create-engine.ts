import { inlineExecutor } from "./adapters/inline-executor.js";
import type { EngineOptions } from "./engine/engine.js";
import { Engine } from "./engine/engine.js";

/**
 * Put an engine together. Call `start` before anything else.
 *
 * @example
 * ```ts
 * const engine = createEngine({ storage: sqliteStorage("agents.db"), agents: [support] });
 * await engine.start();
 * const run = await engine.runs.start(support, { message: "hi" });
 * console.log(await run.result());
 * await engine.close();
 * ```
 * @throws HeddleError INVALID_ARGUMENT naming the field
 */
export function createEngine<Host>(options: EngineOptions<Host>): Engine<Host> {
  return new Engine({ ...options, executor: options?.executor ?? inlineExecutor });
}
