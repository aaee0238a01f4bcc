import { describe, expect, it } from "vitest";
import { contentWords, relatedTerms, stem, terms, words } from "../src/library/words.js";

describe("words", () => {
  it.each([
    ["better-sqlite3", ["better-sqlite3", "better", "sqlite"]],
    ["onIdle()", ["onidle", "on", "idle"]],
    ["z.safeParse", ["z.safeparse", "safe", "parse"]],
    ["parseJSONText", ["parsejsontext", "parse", "json", "text"]],
    ["AbortSignal", ["abortsignal", "abort", "signal"]],
    ["naïve Überraschung", ["naïve", "überraschung"]],
  ])("of %s", (text, expected) => {
    expect(words(text)).toEqual(expected);
  });
});

describe("stems", () => {
  it.each([
    ["cancel", "cancels", "canceled", "cancelled", "canceling", "cancellation"],
    ["query", "queries"],
    ["transaction", "transactions", "transact"],
    ["cache", "caches", "cached", "caching"],
    ["validate", "validates", "validated", "validating", "validation", "validator"],
    ["limit", "limits", "limited", "limiting"],
    ["run", "runs", "running"],
  ])("of %s and its forms are one", (...forms) => {
    expect(new Set(forms.map(stem)).size).toBe(1);
  });

  it.each(["class", "status", "this", "zod", "pass", "sqlite3", "bus"])("leave %s alone", (word) => {
    expect(stem(word)).toBe(word);
  });
});

describe("the content words of a question", () => {
  it.each([
    ["How do I limit the number of jobs?", ["limit", "number", "jobs"]],
    ["How do I turn it off?", ["disable"]],
    ["how do i turn the colors off", ["disable", "colors"]],
    ["Can jobs run at the same time?", ["jobs", "run", "concurrency"]],
    ["What is that?", []],
  ])("%s", (question, expected) => {
    expect(contentWords(question)).toEqual(expected);
  });
});

it("knows what people say for what is written", () => {
  expect(relatedTerms(stem("disable"))).toContain("off");
  expect(relatedTerms(stem("concurrency"))).toEqual(terms("concurrent parallel"));
  expect(relatedTerms("zebra")).toEqual([]);
});
