import type { Passage } from "../library/read-documents.js";
import type { Relevance } from "../library/relevance.js";
import { terms } from "../library/words.js";
import type { Block } from "../markdown/blocks.js";

/** How much of the question code must speak about to be shown: in the first passage, in others. */
const NEEDED = { example: [0, 0], howTo: [0.3, 0.75], text: [0.75, 0.75] } as const;

/** The block that speaks most about the question, rather from the first passages than from the last. */
export function chooseCode(
  passages: readonly Passage[],
  relevance: Relevance,
  wants: keyof typeof NEEDED,
): Block | undefined {
  const candidates = passages.flatMap(({ blocks }, index) => {
    const isAllThereIs = blocks.every(({ kind }) => kind === "code");
    const needed = isAllThereIs ? 0 : NEEDED[wants][index === 0 ? 0 : 1];
    return blocks
      .filter((block) => block.kind === "code" && spokenIn(block, relevance) >= needed)
      .map((block) => ({ block, score: (relevance.score(block.text) + 1) / (index + 1) }));
  });
  candidates.sort((a, b) => b.score - a.score);
  return candidates[0]?.block;
}

/** How much of the question one group of lines speaks about. */
function spokenIn(block: Block, relevance: Relevance): number {
  return Math.max(...block.text.split(/\n\s*\n/u).map((lines) => relevance.coverage(new Set(terms(lines)))));
}
