/** An agent whose attempts the test drives by hand: it holds each one until the test says how it ends. */

import type { AgentContext, AgentDefinition, AgentResult, AnyJson, AnyValues, Json, JsonObject } from "@heddle/core";
import { defineAgent } from "@heddle/core";

export interface Turn {
  readonly context: AgentContext<Json, JsonObject, Json>;
  finish(result?: AgentResult<Json, JsonObject>): void;
  fail(error: unknown): void;
}

export interface HandDriven {
  readonly agent: AgentDefinition<AnyJson, AnyValues, AnyJson, AnyJson>;
  /** The next attempt that begins; each is handed out once. */
  next(): Promise<Turn>;
  /** All attempts so far. */
  readonly turns: readonly Turn[];
}

type Options = Partial<Omit<AgentDefinition<AnyJson, AnyValues, AnyJson, AnyJson>, "run">>;

export function handDriven(options: Options = {}): HandDriven {
  const turns: Turn[] = [];
  const unclaimed: Turn[] = [];
  const waiting: ((turn: Turn) => void)[] = [];
  const agent = defineAgent({
    name: "worker",
    ...options,
    run: (context: AgentContext<Json, JsonObject, Json>) =>
      new Promise<AgentResult<Json, JsonObject>>((resolve, reject) => {
        const turn: Turn = { context, finish: (result = {}) => resolve(result), fail: reject };
        turns.push(turn);
        const next = waiting.shift();
        if (next === undefined) unclaimed.push(turn);
        else next(turn);
      }),
  });
  const next = (): Promise<Turn> => {
    const turn = unclaimed.shift();
    return turn === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(turn);
  };
  return { agent, next, turns };
}
