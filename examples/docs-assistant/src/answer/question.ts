/**
 * Reads a question: what it is about, what kind of answer it wants, and what it leaves for the conversation to fill in.
 */

import type { Library } from "../library/library.js";
import { contentWords, stem } from "../library/words.js";
import type { Topic } from "./conversation.js";
import { isPartOfName, packagesNamed } from "./package-names.js";

export interface Question {
  readonly text: string;
  /** The words that say what it is about, packages left out; those of the last question where it has none. */
  readonly words: readonly string[];
  /** The same as index terms. */
  readonly terms: readonly string[];
  /** Words of earlier turns that it leans on; empty when it stands on its own. */
  readonly remembered: readonly string[];
  /** How much it leans on them: "it" refers to them, "and what about …?" changes the subject. */
  readonly memory: number;
  readonly packages: readonly string[];
  /** `introduction`: it names a package and nothing else. `more`: it asks for what was not shown yet. */
  readonly kind: "lookup" | "introduction" | "more";
  /** `example`: it asks for code. `howTo`: code is welcome. */
  readonly wants: "example" | "howTo" | "text";
  /** It leans on the questions before it. */
  readonly isFollowUp: boolean;
  /** It has no words of its own: "why?", "show an example". Then it is the last question again. */
  readonly isRepeated: boolean;
}

const LEANING = /^(?:and|but|also|or|so|then|what about|how about|what if|why|why not|really|ok|okay|else)\b/iu;
const PRONOUN =
  /\b(?:it|its|it's|that|this|these|those|them|they|their|there|one|ones|both|the same|instead|another|else)\b/iu;
const MORE =
  /^(?:(?:please|ok|okay|can you|could you|and|yes|,)\s*)*(?:(?:tell|show|give|say|explain)\s+(?:me\s+|us\s+)?(?:some\s+|a bit\s+|a little\s+|it\s+)?more|more|go on|continue|keep going|what else|anything else|elaborate|next)\b/iu;
const CODE = /\b(?:examples?|snippets?|sample|code|syntax|show me how|demo)\b/iu;
const HOW_TO = /^(?:and |but |so )?how (?:do|can|to|would|should|could|does one)\b|^(?:show|write)\b/iu;
const ABOUT_FORM = new Set(
  "example examples snippet snippets sample code syntax demo elaborate continue going".split(" ").map(stem),
);
const REMEMBERED_WORDS = 6;
const CHANGED_SUBJECT = 0.3;
/** What the packages under discussion must know of a question to be asked first. */
const KNOWN = 0.7;

/** `topic` is what the thread remembers; `null` at its beginning. */
export function readQuestion(text: string, topic: Topic | null, library: Library): Question {
  const named = packagesNamed(text, library);
  const words = contentWords(text).filter((word) => !ABOUT_FORM.has(stem(word)) && !isPartOfName(word, named));
  const isSameSubject = topic !== null && named.every((name) => topic.packages.includes(name));
  const wantsMore = isSameSubject && MORE.test(text.trim());
  const isFollowUp = topic !== null && (wantsMore || leansOn(text, topic, words, named));
  const packages = named.length > 0 ? named : isFollowUp || fits(words, topic, library) ? (topic?.packages ?? []) : [];
  const isRepeated = isFollowUp && words.length === 0;
  const own = isRepeated ? topic.focus : words;
  const earlier = topic === null ? [] : isRepeated ? topic.context : [...topic.focus, ...topic.context];
  return {
    text,
    words: own,
    terms: [...new Set(own.map(stem))],
    remembered: isFollowUp ? earlier.filter((word) => !own.includes(word)).slice(0, REMEMBERED_WORDS) : [],
    memory: isRepeated || PRONOUN.test(text) ? 1 : CHANGED_SUBJECT,
    packages,
    kind: wantsMore ? "more" : words.length === 0 && named.length > 0 && !isFollowUp ? "introduction" : "lookup",
    wants: CODE.test(text) ? "example" : HOW_TO.test(text.trim()) ? "howTo" : "text",
    isFollowUp,
    isRepeated,
  };
}

/** "How do I turn it off?", "and with transactions?", "an example": not a question without the one before. */
function leansOn(text: string, topic: Topic, words: readonly string[], named: readonly string[]): boolean {
  if (named.some((name) => !topic.packages.includes(name))) return words.length === 0 && LEANING.test(text.trim());
  return LEANING.test(text.trim()) || PRONOUN.test(text) || words.length === 0;
}

/** A short question without a package most likely stays with the packages under discussion, if they know its words. */
function fits(words: readonly string[], topic: Topic | null, library: Library): boolean {
  if (topic === null || topic.packages.length === 0 || words.length === 0) return false;
  const [best] = library.search({ terms: words.map(stem), packages: topic.packages });
  return best !== undefined && best.coverage > KNOWN;
}
