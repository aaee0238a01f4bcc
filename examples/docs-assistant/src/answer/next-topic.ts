import type { Passage } from "../library/read-documents.js";
import type { Topic } from "./conversation.js";
import type { Question } from "./question.js";

const PACKAGES = 2;

/** What the thread remembers after an answer. A question that found nothing does not change the subject. */
export function nextTopic(topic: Topic | null, question: Question, passages: readonly Passage[]): Topic | null {
  if (passages.length === 0) return topic;
  const ids = passages.map(({ id }) => id);
  const shown = question.isFollowUp && topic !== null ? topic.shown : [];
  return {
    focus: [...question.words],
    context: [...question.remembered],
    packages: question.packages.length > 0 ? [...question.packages] : packagesOf(passages),
    passages: ids,
    shown: [...new Set([...shown, ...ids])],
  };
}

function packagesOf(passages: readonly Passage[]): string[] {
  return [...new Set(passages.map((passage) => passage.package))].slice(0, PACKAGES);
}
