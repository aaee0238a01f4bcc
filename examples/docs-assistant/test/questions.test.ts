import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { questions } from "../src/questions.js";

function sources(given: readonly string[] = []) {
  const input = new PassThrough() as unknown as NodeJS.ReadStream & PassThrough;
  const output = new PassThrough() as unknown as NodeJS.WriteStream;
  return { given, defaults: ["What is it?", "Tell me more"], input, output, prompt: "> ", hint: "" };
}

async function asked(from: Parameters<typeof questions>[0]): Promise<string[]> {
  const all: string[] = [];
  for await (const question of questions(from)) all.push(question.text);
  return all;
}

describe("questions", () => {
  it("are those of the command line", async () => {
    expect(await asked(sources(["One?", "Two?"]))).toEqual(["One?", "Two?"]);
  });

  it("else the lines of standard input", async () => {
    const from = sources();
    from.input.end("One?\n\n  Two?  \nThree?");
    expect(await asked(from)).toEqual(["One?", "Two?", "Three?"]);
  });

  it("else, where nobody says anything, the defaults", async () => {
    const ended = sources();
    ended.input.end();
    expect(await asked(ended)).toEqual(["What is it?", "Tell me more"]);
  });

  it("the defaults also where standard input stays open and silent", async () => {
    expect(await asked({ ...sources(), patience: 1 })).toEqual(["What is it?", "Tell me more"]);
  });
});
