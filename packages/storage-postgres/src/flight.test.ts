import { expect, test } from "vitest";
import { type Answer, Flight, type Wire } from "./flight.js";
import { bound, Statements } from "./statement.js";

const silent: Wire = { stream: {}, parse() {}, bind() {}, describe() {}, execute() {}, close() {}, sync() {} };

/** A flight of `asked` statements, which the connection answers with `answered` numbers. */
async function fly(asked: number, answered: number): Promise<readonly Answer[]> {
  const statements = Array.from({ length: asked }, () => bound(new Statements(false).fixed("select 1 as n")));
  return new Promise((resolve, reject) => {
    const flight = new Flight(statements, resolve, reject);
    flight.submit(silent);
    for (let n = 0; n < answered; n++) {
      flight.handleRowDescription({ fields: [{ name: "n", dataTypeID: 23 }] });
      flight.handleDataRow({ fields: [String(n)] });
      flight.handleCommandComplete({ text: "SELECT 1" });
    }
    flight.handleReadyForQuery();
  });
}

test("each statement has its answer", async () => {
  const answers = await fly(2, 2);
  expect(answers.map(({ rows }) => rows)).toEqual([[{ n: 0 }], [{ n: 1 }]]);
});

test("a connection that gives fewer answers, or more, is not believed", async () => {
  await expect(fly(2, 1)).rejects.toThrow("answered 2 statements with 1");
  await expect(fly(2, 3)).rejects.toThrow("answered 2 statements with 3");
});
