/**
 * Full-text search rewards a passage that says one rare word often. A question wants one that speaks about all of it,
 * best in one breath and best of all under that name.
 */
import type { Block } from "../markdown/blocks.js";
import type { Passage } from "./read-documents.js";
import { brevity, type Relevance } from "./relevance.js";
import { relatedTerms, terms } from "./words.js";

export interface Candidate {
  readonly passage: Passage;
  /** The full-text score. */
  readonly score: number;
  /** The question's terms that were found, exactly or nearly. */
  readonly matched: ReadonlySet<string>;
}

export interface Hit {
  readonly passage: Passage;
  readonly score: number;
  /** The share of the question, weighted by how telling its words are, that the passage speaks about: 0 to 1. */
  readonly coverage: number;
  readonly matched: ReadonlySet<string>;
}

export interface Ranking {
  readonly terms: readonly string[];
  /** How much passages that show code are preferred; 1 is not at all. */
  readonly codeBoost?: number;
  /** Packages that are preferred, because the conversation is about them. */
  readonly favored?: readonly string[];
}

/** Saying a word often is worth less than BM25 believes. */
const DAMPING = 0.7;
const FAVOR = 1.6;

export function rank(candidates: readonly Candidate[], ranking: Ranking, relevance: Relevance): Hit[] {
  return candidates.map((candidate) => judge(candidate, ranking, relevance)).sort((a, b) => b.score - a.score);
}

function judge(
  candidate: Candidate,
  { terms: asked, codeBoost = 1, favored = [] }: Ranking,
  relevance: Relevance,
): Hit {
  const { passage, matched } = candidate;
  const coverage = relevance.coverage(matched);
  const factors = [
    candidate.score ** DAMPING,
    0.15 + relevance.share(matched) ** 1.5,
    0.6 + 0.6 * closeness(passage, relevance),
    1 + 2.5 * naming(passage, asked, relevance),
    passage.blocks.some(({ kind }) => kind === "code") ? codeBoost : 1,
    favored.includes(passage.package) ? FAVOR : 1,
  ];
  return { passage, coverage, matched, score: factors.reduce((product, factor) => product * factor) };
}

/** How much of the question is spoken about in one breath, under the passage's heading. */
function closeness(passage: Passage, relevance: Relevance): number {
  const heading = terms(passage.titles.at(-1) ?? "");
  const shares = breaths(passage).map((text) => relevance.share(new Set([...heading, ...terms(text)])) * brevity(text));
  return Math.max(0, ...shares);
}

/** What is said together: a block, or lines of code that no blank line parts. */
function breaths({ blocks }: Passage): string[] {
  return blocks.flatMap(({ kind, text }) => (kind === "code" ? text.split(/\n\s*\n/u) : [text]));
}

/** How far the passage, or an entry of a list in it, goes by the name of what was asked. */
function naming(passage: Passage, asked: readonly string[], relevance: Relevance): number {
  const names = [passage.titles.at(-1) ?? "", ...passage.blocks.map(itemName)];
  return Math.max(...names.map((name) => nameMatch(name, asked) * Math.sqrt(relevance.coverage(new Set(terms(name))))));
}

/** How much of a name is what was asked for: `.pause()` is all of "how do I pause it?". */
export function nameMatch(name: string, asked: readonly string[]): number {
  const parts = new Set(terms(name));
  const wanted = new Set(asked.flatMap((term) => [term, ...relatedTerms(term)]));
  const matched = [...parts].filter((term) => wanted.has(term)).length;
  return parts.size === 0 ? 0 : matched / parts.size;
}

/** Rows and items of reference lists begin with the name they define: "`ignore` — one or more patterns". */
export function itemName({ kind, text }: Block): string {
  return kind === "item" ? (/^`([^`]+)`/u.exec(text)?.[1] ?? "") : "";
}
