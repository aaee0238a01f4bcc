import { describe, expect, it } from "vitest";
import { converse, lastAnswer } from "./conversation.js";
import { fixtureLibrary } from "./library.js";

const library = await fixtureLibrary();

describe("an answer", () => {
  it.each([
    ["How do I install kiln?", "npm install kiln"],
    ["How long does a value stay warm in kiln?", "How long a value stays warm, in milliseconds."],
    ["What happens when the kiln backplane is unreachable?", "`get` still works from memory"],
    ["What does ferry do when a job throws?", "A job that throws is tried again, up to `retries` times"],
    ["How can a ferry worker run several jobs at the same time?", "Set `concurrency` to let it work on several jobs"],
    ["Which version of redis do I need?", "It needs Redis 6 or newer."],
  ])("%s", (question, expected) => {
    expect(lastAnswer(library, question).text).toContain(expected);
  });

  it("cites each passage it quotes, in order", () => {
    const { text, passages } = lastAnswer(library, "How do I pause a worker?");
    expect([...text.matchAll(/\[(\d+)\]/gu)].map(([, number]) => Number(number))).toEqual(
      passages.map((_, index) => index + 1),
    );
    expect(passages[0]?.titles.at(-1)).toBe("worker.pause()");
  });

  it("introduces a package with what it says first, and how it is used", () => {
    const { text, headings } = lastAnswer(library, "What is ferry?");
    expect(headings).toEqual(["ferry", "Quick start"]);
    expect(text).toContain("Ferry carries background jobs from one process to another.");
    expect(text).toContain("new Ferry(database)");
  });

  it("shows code where it is asked how", () => {
    expect(lastAnswer(library, "How do I send a job in a transaction with ferry?").text).toMatch(
      /```ts\nawait database\.transaction/u,
    );
  });

  it("says nothing that the documents do not say", () => {
    const said = (text: string): string => text.replace(/[\s`*|.:—-]+/gu, " ").toLowerCase();
    const documents = said(library.passages.flatMap(({ blocks }) => blocks.map(({ text }) => text)).join("\n"));
    const questions = [
      "How do I retry?",
      "kiln options",
      "show an example",
      "errors in kiln",
      "what is kiln",
      "tell me more",
    ];
    for (const { text, passages } of converse(library, questions)) {
      const headings = passages.map(({ titles }) => said(titles.at(-1) ?? ""));
      const parts = text
        .replace(/\*\*(.*?)\*\* \[\d+\](?: — )?/gu, "\n")
        .replace(/```\w*/gu, "\n")
        .split(/\n|(?<=[.!?]) /u);
      for (const part of parts.map(said).filter((one) => one.trim() !== "" && !headings.includes(one))) {
        expect(documents).toContain(part.trim());
      }
    }
  });

  it("differs from question to question", () => {
    const questions = [
      "How do I pause a worker?",
      "How do I resume a worker?",
      "What is kiln?",
      "Which redis?",
      "Retries?",
    ];
    expect(new Set(questions.map((question) => lastAnswer(library, question).text)).size).toBe(questions.length);
  });
});

describe("an honest answer", () => {
  it.each(["How do I cook pasta?", "elephants", "?!", "How do I?"])("to %s is none", (question) => {
    expect(lastAnswer(library, question)).toMatchObject({ text: "", passages: [] });
  });

  it("says when the package asked about is silent and another is not", () => {
    const { text, headings } = lastAnswer(library, "How do I use transactions in kiln?");
    expect(text).toContain("The pages of kiln say nothing about “transactions”. Others do:");
    expect(headings[0]).toBe("Transactions");
  });

  it("says which words even the best passage leaves out", () => {
    const { text } = lastAnswer(library, "Does the redis backplane invalidate elephants?");
    expect(text).toMatch(/^Nothing speaks about all of that\. What comes closest, without .*“elephants”/u);
  });
});

describe("follow-ups", () => {
  const first = "Does kiln serve stale values?";

  it("“how do I turn it off?” finds the switch of what was asked about", () => {
    expect(lastAnswer(library, first, "How do I turn it off?").text).toContain(
      "Set `stale` to `false` to disable stale values.",
    );
  });

  it("“show an example” gives code on the same subject", () => {
    const { text } = lastAnswer(library, "How do I use ferry in a transaction?", "Show me an example");
    expect(text).toContain("{ transaction });");
  });

  it("“show an example” after an introduction gives code that was not shown", () => {
    const [introduction, example] = converse(library, ["What is ferry?", "Show me an example"]);
    expect(introduction?.text).toContain("new Ferry(database)");
    expect(example?.headings).toEqual(["Transactions"]);
  });

  it("“tell me more” never repeats a passage, and ends", () => {
    const turns = converse(library, ["How do workers handle jobs in ferry?", ...Array<string>(6).fill("Tell me more")]);
    const shown = turns.flatMap(({ passages }) => passages.map(({ id }) => id));
    expect(new Set(shown).size).toBe(shown.length);
    expect(turns.at(-1)?.passages).toEqual([]);
  });

  it("“and in …?” asks the same of another package", () => {
    const { question, headings } = lastAnswer(library, "How does ferry handle errors?", "And kiln?");
    expect(question.packages).toEqual(["kiln"]);
    expect(headings[0]).toBe("Errors");
  });

  it("a turn that finds nothing leaves the subject alone", () => {
    const { question } = lastAnswer(library, "How do I pause a ferry worker?", "And elephants?", "Show me an example");
    expect(question).toMatchObject({ words: ["pause", "worker"], packages: ["ferry"] });
  });
});
