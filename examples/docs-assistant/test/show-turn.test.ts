import type { RunFrame } from "@heddle/core";
import { expect, it } from "vitest";
import { showTurn } from "../src/terminal/show-turn.js";

type Message = readonly string[];

function event(type: string, payload: object): RunFrame {
  return {
    kind: "event",
    seq: 1,
    runId: "run",
    attempt: 1,
    rolloutId: "0",
    type,
    payload: payload as never,
    createdAt: new Date(5),
  };
}

function delta(sequenceNumber: number, text: string): RunFrame {
  return { kind: "delta", runId: "run", attempt: 1, sequenceNumber, type: "assistant_message", payload: { text } };
}

async function shown(frames: readonly RunFrame[]): Promise<{ readonly text: string; readonly cost: object }> {
  const written: string[] = [];
  const screen = {
    width: 80,
    paint: (_: unknown, text: string) => text,
    write: (text: string) => void written.push(text),
    line: (text: string) => void written.push(`${text}\n`),
    pace: async () => {},
  };
  const cost = await showTurn(
    (async function* () {
      yield* frames;
    })(),
    screen,
  );
  return { text: written.join(""), cost };
}

const search = [
  event("tool_call", {
    input: { kind: "lookup", wants: "howTo", words: ["pause"], remembered: ["jobs"], packages: ["ferry"] },
  }),
  event("tool_result", { output: ["ferry/README.md:33"] }),
];
const said: Message = ["Stops", " taking", " new", " jobs."];
const message = event("assistant_message", { content: said.join("") });
const deltas = said.map((text, index) => delta(index + 1, text));

it("shows the search, then the answer", async () => {
  const { text, cost } = await shown([...search, ...deltas, message]);
  expect(text).toBe(
    "  ⌕ pause · remembered: jobs · in ferry\n  ✓ 1 passage, best ferry/README.md:33\n\n  Stops taking new jobs.\n\n",
  );
  expect(cost).toMatchObject({ events: 3, deltas: 4, endedAt: new Date(5) });
});

it.each([
  ["at the beginning", deltas.slice(2)],
  ["in the middle", [...deltas.slice(0, 1), { kind: "dropped", count: 1 } as const, ...deltas.slice(2)]],
  ["at the end", deltas.slice(0, 2)],
  ["altogether", []],
])("shows the whole answer though deltas were lost %s", async (_, received) => {
  expect((await shown([...search, ...received, message])).text).toContain("\n  Stops taking new jobs.\n");
});
