/** A conversation without an engine: what the agent does with its values, turn by turn. */
import type { Topic } from "../src/answer/conversation.js";
import { extract } from "../src/answer/extract.js";
import { nextTopic } from "../src/answer/next-topic.js";
import { readQuestion } from "../src/answer/question.js";
import { retrieve } from "../src/answer/retrieve.js";
import type { Library } from "../src/library/library.js";

export function converse(library: Library, questions: readonly string[]) {
  let topic: Topic | null = null;
  return questions.map((text) => {
    const question = readQuestion(text, topic, library);
    const retrieval = retrieve(question, topic, library);
    const answer = extract(retrieval, library);
    topic = nextTopic(topic, question, answer.passages);
    return { question, retrieval, ...answer, headings: answer.passages.map(({ titles }) => titles.at(-1)) };
  });
}

/** The last answer of a conversation. */
export function lastAnswer(library: Library, ...questions: readonly string[]) {
  const last = converse(library, questions).at(-1);
  if (last === undefined) throw new Error("Nothing was asked");
  return last;
}
