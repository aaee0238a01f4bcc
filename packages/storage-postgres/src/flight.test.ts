import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { type Answer, Flight, type Wire } from "./flight.js";
import { bound, Statements } from "./statement.js";

/** A connection that sends nothing anywhere. */
class SilentWire extends EventEmitter implements Wire {
  readonly stream = {};
  parse(): void {}
  bind(): void {}
  describe(): void {}
  execute(): void {}
  close(): void {}
  sync(): void {}
}

/** A flight of `asked` statements, to which these numbers are the answers; others ask without parameters. */
function fly(wire: SilentWire, asked: number, answers: readonly number[], isOurs = true): Promise<readonly Answer[]> {
  const statements = Array.from({ length: asked }, () => bound(new Statements(false).fixed("select 1 as n")));
  return new Promise((resolve, reject) => {
    const flight = new Flight(statements, resolve, reject);
    flight.submit(wire);
    for (const n of answers) {
      if (isOurs) wire.emit("bindComplete");
      flight.handleRowDescription({ fields: [{ name: "n", dataTypeID: 23 }] });
      flight.handleDataRow({ fields: [String(n)] });
      flight.handleCommandComplete({ text: "SELECT 1" });
    }
    flight.handleReadyForQuery();
  });
}

test("each statement has its answer, flight after flight", async () => {
  const wire = new SilentWire();
  for (let round = 0; round < 20; round++) {
    const answers = await fly(wire, 2, [round, round + 1]);
    expect(answers.map(({ rows }) => rows)).toEqual([[{ n: round }], [{ n: round + 1 }]]);
  }
  expect(wire.listenerCount("bindComplete")).toBe(1);
});

test("a connection that gives fewer answers, more, or somebody else's, is not believed", async () => {
  await expect(fly(new SilentWire(), 2, [1])).rejects.toThrow("2 statements with 1 answers");
  await expect(fly(new SilentWire(), 2, [1, 2, 3])).rejects.toThrow("2 statements with 3 answers");
  await expect(fly(new SilentWire(), 1, [1], false)).rejects.toThrow("1 answers, of which 0 are its own");
});
