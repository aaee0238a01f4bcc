import { expect, test } from "vitest";
import { interruptedPayload } from "./questions.js";

test("who reads the stream is told the questions, each with the schema of its answer", () => {
  const questions = [
    { key: "pay", payload: '{"sum":1}', schema: '{"type":"boolean"}', expiresIn: null },
    { key: 'a "b"', payload: "null", schema: null, expiresIn: null },
  ];
  expect(JSON.parse(interruptedPayload("line", questions))).toEqual({
    questions: [
      { id: "line/pay", key: "pay", payload: { sum: 1 }, schema: { type: "boolean" } },
      { id: 'line/a "b"', key: 'a "b"', payload: null, schema: null },
    ],
  });
});
