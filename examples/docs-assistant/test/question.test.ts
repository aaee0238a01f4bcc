import { describe, expect, it } from "vitest";
import type { Topic } from "../src/answer/conversation.js";
import { readQuestion } from "../src/answer/question.js";
import { Library } from "../src/library/library.js";
import { passagesOf } from "../src/library/read-documents.js";
import { fixtureLibrary } from "./library.js";

const library = await fixtureLibrary();

const topic: Topic = {
  focus: ["pause"],
  context: ["jobs", "limit"],
  packages: ["ferry"],
  passages: ["ferry/README.md:33"],
  shown: ["ferry/README.md:33"],
};

describe("a question on its own", () => {
  it("is about its content words and the packages it names", () => {
    expect(readQuestion("How do I retry a job in Ferry?", null, library)).toMatchObject({
      words: ["retry", "job"],
      packages: ["ferry"],
      remembered: [],
      isFollowUp: false,
      kind: "lookup",
      wants: "howTo",
    });
  });

  it.each(["What is kiln?", "Tell me about kiln", "kiln"])("%s asks for an introduction", (text) => {
    expect(readQuestion(text, null, library)).toMatchObject({ kind: "introduction", packages: ["kiln"] });
  });

  it.each(["Show me an example of retries", "code for retries?", "give me a snippet with retries"])(
    "%s asks for code",
    (text) => {
      expect(readQuestion(text, null, library)).toMatchObject({ wants: "example", words: ["retries"] });
    },
  );

  it("takes a package named like an ordinary word for one only where it is used as a name", async () => {
    const pages = ["debug", "which", "ferry"].map((name) =>
      passagesOf({ package: name, path: `${name}/README.md` }, `# ${name}\n\nYou can debug jobs.\n`),
    );
    const made = await Library.of(pages.flat());
    expect(readQuestion("How do I debug a job?", null, made).packages).toEqual([]);
    expect(readQuestion("How do I write to a file with debug?", null, made).packages).toEqual(["debug"]);
    expect(readQuestion("Which of them runs jobs?", null, made).packages).toEqual([]);
  });
});

describe("a follow-up", () => {
  it.each([
    "How do I turn it off?",
    "What about errors?",
    "and with transactions?",
    "Why?",
    "Show an example",
    "tell me more",
  ])("%s leans on the conversation", (text) => {
    expect(readQuestion(text, topic, library)).toMatchObject({ isFollowUp: true, packages: ["ferry"] });
  });

  it("adds what is remembered, newest first", () => {
    expect(readQuestion("How do I turn it off?", topic, library)).toMatchObject({
      words: ["disable"],
      remembered: ["pause", "jobs", "limit"],
    });
  });

  it("without words of its own repeats the last question", () => {
    expect(readQuestion("Show me an example", topic, library)).toMatchObject({
      words: ["pause"],
      remembered: ["jobs", "limit"],
      wants: "example",
    });
  });

  it("leans less on the past where it only changes the subject", () => {
    const it_ = readQuestion("How do I retry it?", topic, library);
    const and = readQuestion("And retries?", topic, library);
    expect(it_.memory).toBeGreaterThan(and.memory);
  });

  it.each(["Tell me more", "more", "Go on!", "please continue", "what else?", "Can you tell me more about it?"])(
    "%s asks for what was not shown",
    (text) => {
      expect(readQuestion(text, topic, library).kind).toBe("more");
    },
  );

  it("that names another package leaves the conversation's", () => {
    expect(readQuestion("How does kiln handle errors?", topic, library)).toMatchObject({
      packages: ["kiln"],
      isFollowUp: false,
      remembered: [],
    });
    expect(readQuestion("And with kiln?", topic, library)).toMatchObject({ packages: ["kiln"], words: ["pause"] });
  });

  it("that asks for more about another package asks for its introduction", () => {
    expect(readQuestion("Tell me more about kiln", topic, library)).toMatchObject({
      kind: "introduction",
      packages: ["kiln"],
      remembered: [],
    });
  });

  it("is nothing special at the beginning of a thread", () => {
    expect(readQuestion("Tell me more", null, library)).toMatchObject({ isFollowUp: false, kind: "lookup", words: [] });
  });
});

describe("a new question in a conversation", () => {
  it("stays with the package under discussion, if that knows its words", () => {
    expect(readQuestion("Where do dead letters go?", topic, library)).toMatchObject({
      packages: ["ferry"],
      isFollowUp: false,
    });
  });

  it("leaves it where it does not", () => {
    expect(readQuestion("Does the backplane need redis?", topic, library).packages).toEqual([]);
  });
});
