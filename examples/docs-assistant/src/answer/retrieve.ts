/**
 * Decides which passages answer a question, and admits it when none does.
 */

import type { Library, Search } from "../library/library.js";
import type { Hit } from "../library/rank.js";
import type { Passage } from "../library/read-documents.js";
import { isGeneric, stem } from "../library/words.js";
import { examples, following, hasCode, introductions } from "./browse.js";
import type { Topic } from "./conversation.js";
import type { Question } from "./question.js";

export interface Retrieval {
  readonly question: Question;
  /** Best first; empty when the library says nothing about it. */
  readonly passages: readonly Passage[];
  readonly reservation: Reservation | null;
}

/** What an honest answer says first. */
export interface Reservation {
  /** `elsewhere`: the packages asked about say nothing about `words`. `partly`: the best passage says nothing about them. */
  readonly kind: "elsewhere" | "partly";
  readonly words: readonly string[];
  readonly packages: readonly string[];
}

const ENOUGH_COVERAGE = 0.5;
/** Where the package is known, less of the question says enough. */
const SOME_COVERAGE = 0.3;
const GOOD_COVERAGE = 0.7;
const CLOSE_TO_BEST = 0.4;
const PASSAGES = 3;
const CODE_BOOST = { example: 2, howTo: 1.15, text: 1 } as const;

export function retrieve(question: Question, topic: Topic | null, library: Library): Retrieval {
  if (question.kind === "introduction") return found(question, introductions(question.packages, library));
  if (question.kind === "more" && topic !== null) return found(question, more(question, topic, library));
  if (question.terms.length > 0) return lookUp(question, topic, library);
  return found(question, question.wants === "example" ? examples(question.packages, topic?.shown ?? [], library) : []);
}

function lookUp(question: Question, topic: Topic | null, library: Library): Retrieval {
  const search = searchFor(question, topic);
  const { packages } = question;
  const isAboutPackages = packages.length > 0;
  const inside = isAboutPackages ? relevant(library.search({ ...search, packages }), question, SOME_COVERAGE) : [];
  if (inside.length > 0) return answered(question, inside, unspoken(question, inside));
  const all = relevant(library.search(search), question);
  return answered(question, all, isAboutPackages ? elsewhere(question, library) : unspoken(question, all));
}

function elsewhere({ words, packages }: Question, library: Library): Reservation | null {
  const unknown = words.filter((word) => packages.every((name) => !library.knows(stem(word), name)));
  return unknown.length === 0 ? null : { kind: "elsewhere", words: unknown, packages };
}

/** The words of the question that the best passage leaves out, if they are a good part of it. */
function unspoken({ words, packages }: Question, [best]: readonly Hit[]): Reservation | null {
  if (best === undefined || best.coverage >= GOOD_COVERAGE) return null;
  const left = words.filter((word) => !best.matched.has(stem(word)) && !isGeneric(stem(word)));
  return left.length === 0 ? null : { kind: "partly", words: left, packages };
}

function searchFor(question: Question, topic: Topic | null): Search {
  return {
    terms: question.terms,
    remembered: question.remembered.map(stem),
    memory: question.memory,
    codeBoost: CODE_BOOST[question.wants],
    favored: topic?.packages ?? [],
    ...(question.isRepeated && question.wants === "text" ? { exclude: new Set(topic?.shown) } : {}),
  };
}

/** The best passage must speak about the question; the others must come near it, and be of other sections. */
function relevant(hits: readonly Hit[], { wants }: Question, atLeast = ENOUGH_COVERAGE): Hit[] {
  const covering = hits.filter(({ coverage }) => coverage >= atLeast);
  const showing = wants === "example" ? covering.filter(({ passage }) => hasCode(passage)) : [];
  const enough = showing.length > 0 ? showing : covering;
  const threshold = (enough[0]?.score ?? 0) * CLOSE_TO_BEST;
  const sections = new Map<string, Hit>();
  for (const hit of enough) {
    const section = [hit.passage.path, ...hit.passage.titles].join("\n");
    if (hit.score >= threshold && !sections.has(section)) sections.set(section, hit);
  }
  return [...sections.values()].slice(0, PASSAGES);
}

/** What was not shown yet: the next best passages on the topic, else what follows the last sources in their files. */
function more(question: Question, topic: Topic, library: Library): Passage[] {
  const exclude = new Set(topic.shown);
  const remembered = question.remembered.map(stem);
  const hits = library.search({ terms: question.terms, remembered, packages: topic.packages, exclude });
  const next = relevant(hits, question).map(({ passage }) => passage);
  if (next.length > 0) return next;
  const unread = following(topic.passages, library).filter(({ id }) => !exclude.has(id));
  return unread.slice(0, PASSAGES - 1);
}

function answered(question: Question, hits: readonly Hit[], reservation: Reservation | null): Retrieval {
  return { question, passages: hits.map(({ passage }) => passage), reservation };
}

function found(question: Question, passages: readonly Passage[]): Retrieval {
  return { question, passages, reservation: null };
}
