/**
 * The agent: reads the question with what the thread remembers, searches, lets the writer answer, and remembers.
 */
import { defineAgent } from "@heddle/core";
import { z } from "zod";
import { Answer, type Message, type Source, Values } from "./answer/conversation.js";
import { quoted } from "./answer/extract.js";
import { nextTopic } from "./answer/next-topic.js";
import { type Question, readQuestion } from "./answer/question.js";
import { retrieve } from "./answer/retrieve.js";
import type { Writer } from "./answer/writer.js";
import type { Library } from "./library/library.js";
import type { Passage } from "./library/read-documents.js";

export interface DocsAssistantOptions {
  readonly library: Library;
  readonly writer: Writer;
}

export type DocsAssistant = ReturnType<typeof docsAssistant>;

export function docsAssistant({ library, writer }: DocsAssistantOptions) {
  return defineAgent({
    name: "docs-assistant",
    input: z.object({ question: z.string().min(1).max(2_000) }),
    values: Values,
    output: Answer,
    async run({ input, values, runId, signal, emit, delta }) {
      const question = readQuestion(input.question, values.topic, library);
      await emit("user_message", { content: input.question });

      const toolCallId = `search-${runId}`;
      await emit("tool_call", { toolCallId, name: "search", input: searchInput(question) });
      const retrieval = retrieve(question, values.topic, library);
      await emit("tool_result", { toolCallId, output: retrieval.passages.map(({ id }) => id) });

      const messageId = `answer-${runId}`;
      const say = (text: string): void => delta("assistant_message", { text }, { messageId });
      const answer = { retrieval, history: values.messages, say, signal };
      const written = retrieval.passages.length > 0 ? await writer.write(answer) : undefined;
      const { text, passages } = written?.text ? written : nothingFound(question, library, say);
      await emit("assistant_message", { messageId, content: text });

      const sources = sourcesOf(text, passages);
      const exchange: Message[] = [
        { role: "user", text: input.question },
        { role: "assistant", text, sources },
      ];
      return {
        output: { answer: text, sources },
        values: { messages: [...values.messages, ...exchange], topic: nextTopic(values.topic, question, passages) },
      };
    },
  });
}

/** What a search was for: the input of its `tool_call` event. */
export type SearchInput = ReturnType<typeof searchInput>;

function searchInput({ words, remembered, packages, kind, wants }: Question) {
  return { kind, wants, words: [...words], remembered: [...remembered], packages: [...packages] };
}

function nothingFound({ words }: Question, { passages, packages }: Library, say: (text: string) => void) {
  const about = words.length === 0 ? "that" : quoted(words);
  const where = packages.length === 1 ? packages[0] : `${packages.length} packages`;
  const text = `I found nothing about ${about} in the ${passages.length.toLocaleString("en")} passages of ${where}.`;
  say(text);
  return { text, passages: [] };
}

/** The sources that the answer cites; if it cites none, all that it was given. */
function sourcesOf(text: string, passages: readonly Passage[]): Source[] {
  const sources = passages.map((passage, index) => ({
    number: index + 1,
    id: passage.id,
    path: passage.path,
    line: passage.line,
    heading: headingOf(passage),
  }));
  const cited = sources.filter(({ number }) => text.includes(`[${number}]`));
  return cited.length > 0 ? cited : sources;
}

/** A document's title says no more than its path, where it is the package's name. */
function headingOf({ titles, package: name }: Passage): string {
  const [first, ...rest] = titles;
  return (first?.toLowerCase() === name.toLowerCase() ? rest : titles).join(" › ").replaceAll("`", "");
}
