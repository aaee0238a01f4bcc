/**
 * Who writes the answer: the passages themselves, or a model that was given them.
 */

import type { Library } from "../library/library.js";
import type { Passage } from "../library/read-documents.js";
import type { Message } from "./conversation.js";
import { extract } from "./extract.js";
import type { Retrieval } from "./retrieve.js";

export interface Brief {
  /** At least one passage; `[1]` in an answer cites the first. */
  readonly retrieval: Retrieval;
  readonly history: readonly Message[];
  /** Says the next piece of the answer. */
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface Written {
  readonly text: string;
  /** What the answer's numbers cite. */
  readonly passages: readonly Passage[];
}

export interface Writer {
  readonly name: string;
  write(brief: Brief): Promise<Written>;
}

/** Needs no model and no network. Says its answer word by word, as a model does. */
export function extractiveWriter(library: Library): Writer {
  return {
    name: "quoted from the documents (OPENAI_API_KEY or OPENAI_BASE_URL lets a model write)",
    async write({ retrieval, say, signal }) {
      const written = extract(retrieval, library);
      for (const word of written.text.match(/\s*\S+/gu) ?? []) {
        signal.throwIfAborted();
        say(word);
      }
      return written;
    },
  };
}
