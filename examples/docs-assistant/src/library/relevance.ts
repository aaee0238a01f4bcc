/** What a text says about a question, when some words tell more than others and some are only remembered. */
import { relatedTerms, terms } from "./words.js";

/** A word that means nearly the same counts for the one that was asked. */
const RELATED_SHARE = 0.6;
/** What an earlier turn was about counts less, and less with each word back. */
const REMEMBERED_SHARE = 0.45;
const FADING = 0.85;
/** Characters after which a text counts half: a long one speaks about many things. */
const HALF_LENGTH = 700;

export interface Relevance {
  readonly asked: readonly string[];
  /** Each word once, telling ones more, remembered ones less; long texts count somewhat less. */
  score(text: string): number;
  /** The part of what is asked and remembered that `present` speaks about. */
  share(present: ReadonlySet<string>): number;
  /** The part of the question's own words that `present` speaks about. */
  coverage(present: ReadonlySet<string>): number;
}

export interface Subject {
  readonly asked: readonly string[];
  readonly remembered: readonly string[];
  /** How much `remembered` counts, from 0 to 1. */
  readonly memory: number;
  weightOf(term: string): number;
}

export function relevanceTo({ asked, remembered, memory, weightOf }: Subject): Relevance {
  const own = new Map(asked.map((term) => [term, weightOf(term)]));
  const all = new Map(own);
  for (const [index, term] of remembered.entries()) {
    if (!own.has(term)) all.set(term, weightOf(term) * memory * REMEMBERED_SHARE * FADING ** index);
  }
  return {
    asked,
    score: (text) => spoken(all, new Set(terms(text))) * Math.sqrt(brevity(text)),
    share: (present) => shareOf(all, present),
    coverage: (present) => shareOf(own, present),
  };
}

function shareOf(weights: ReadonlyMap<string, number>, present: ReadonlySet<string>): number {
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  return total === 0 ? 0 : spoken(weights, present) / total;
}

function spoken(weights: ReadonlyMap<string, number>, present: ReadonlySet<string>): number {
  return [...weights].reduce((sum, [term, weight]) => sum + weight * presence(term, present), 0);
}

function presence(term: string, present: ReadonlySet<string>): number {
  if (present.has(term)) return 1;
  return relatedTerms(term).some((related) => present.has(related)) ? RELATED_SHARE : 0;
}

export function brevity(text: string): number {
  return HALF_LENGTH / (HALF_LENGTH + text.length);
}
