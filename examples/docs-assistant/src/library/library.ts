/**
 * The searchable library: a full-text index over passages. It finds candidates; `rank.ts` decides between them.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import MiniSearch, { type Query } from "minisearch";
import { type Hit, type Ranking, rank } from "./rank.js";
import type { Passage } from "./read-documents.js";
import { type Relevance, relevanceTo } from "./relevance.js";
import { isGeneric, relatedTerms, terms } from "./words.js";

export interface Search extends Ranking {
  /** Index terms of the question itself. A passage is judged by how many of them it speaks about. */
  readonly terms: readonly string[];
  /** Terms remembered from earlier turns: they help to rank and are not required. */
  readonly remembered?: readonly string[];
  /** How much those count, from 0 to 1. */
  readonly memory?: number;
  /** Look in these packages only. */
  readonly packages?: readonly string[];
  readonly exclude?: ReadonlySet<string>;
}

const RELATED_WEIGHT = 0.35;
const REMEMBERED_WEIGHT = 0.3;
const GENERIC_SHARE = 0.5;
const CANDIDATES = 80;
const SLICE = 200;

interface Entry {
  readonly id: number;
  readonly package: string;
  readonly title: string;
  readonly path: string;
  readonly text: string;
  readonly code: string;
}

export class Library {
  readonly passages: readonly Passage[];
  readonly packages: readonly string[];
  readonly #index: MiniSearch<Entry>;
  readonly #byId: ReadonlyMap<string, Passage>;
  readonly #byPackage: ReadonlyMap<string, readonly Passage[]>;
  /** How many passages of a package, or of all (""), speak of a term. Code is no speech: it repeats itself. */
  readonly #frequencies = new Map<string, Map<string, number>>();

  private constructor(passages: readonly Passage[]) {
    this.passages = passages;
    this.#byId = new Map(passages.map((passage) => [passage.id, passage]));
    this.#byPackage = grouped(passages);
    this.packages = [...this.#byPackage.keys()];
    this.#index = new MiniSearch<Entry>({
      fields: ["package", "title", "path", "text", "code"],
      tokenize: terms,
      processTerm: (term) => term,
    });
  }

  /** Indexes in slices, so that a progress bar can move. */
  static async of(passages: readonly Passage[], onProgress: (indexed: number) => void = () => {}): Promise<Library> {
    const library = new Library(passages);
    for (const [position, passage] of passages.entries()) {
      library.#add(entryOf(passage, position));
      if ((position + 1) % SLICE === 0 || position + 1 === passages.length) {
        onProgress(position + 1);
        await nextTurn();
      }
    }
    return library;
  }

  /** Best first. */
  search(search: Search): Hit[] {
    const scope = new Set(search.packages ?? []);
    const results = this.#index.search(this.#query(search), {
      boost: { title: 3, path: 1.2, text: 1, package: 0.8, code: 0.6 },
      filter: ({ id }) => {
        const passage = this.#at(id);
        return !search.exclude?.has(passage.id) && (scope.size === 0 || scope.has(passage.package));
      },
    });
    const candidates = results.slice(0, CANDIDATES).map(({ id, score, queryTerms }) => ({
      passage: this.#at(id),
      score,
      matched: new Set(queryTerms),
    }));
    return rank(candidates, search, this.relevance(search));
  }

  relevance({ terms: asked, remembered = [], memory = 1, packages }: Search): Relevance {
    return relevanceTo({ asked, remembered, memory, weightOf: (term) => this.weight(term, packages) });
  }

  /**
   * How telling a word is, in some packages or in all: rare words weigh more, and one that stands nowhere weighs most.
   * ("queue" says much among all packages and nothing within p-queue.)
   */
  weight(term: string, packages: readonly string[] = []): number {
    const everywhere = this.#rarity(term);
    const frequency = packages.reduce((sum, name) => sum + this.#frequency(name, term), 0);
    const total = packages.reduce((sum, name) => sum + this.of(name).length, 0);
    const here = packages.length === 0 ? everywhere : inverseFrequency(frequency, total);
    return ((everywhere + here) / 2) * (isGeneric(term) ? GENERIC_SHARE : 1);
  }

  #rarity(term: string): number {
    return inverseFrequency(this.#frequency("", term), this.passages.length);
  }

  knows(term: string, packageName = ""): boolean {
    return this.#frequency(packageName, term) > 0;
  }

  /** The part of a term's passages that belongs to one package: near 1 for its own name. */
  ownership(term: string, packageName: string): number {
    const everywhere = this.#frequency("", term);
    return everywhere === 0 ? 0 : this.#frequency(packageName, term) / everywhere;
  }

  find(id: string): Passage | undefined {
    return this.#byId.get(id);
  }

  of(packageName: string): readonly Passage[] {
    return this.#byPackage.get(packageName) ?? [];
  }

  /** What follows a passage in its file. */
  after(passage: Passage): readonly Passage[] {
    const file = this.of(passage.package).filter(({ path }) => path === passage.path);
    return file.slice(file.indexOf(passage) + 1);
  }

  #add(entry: Entry): void {
    this.#index.add(entry);
    const said = terms([entry.package, entry.title, entry.path, entry.text].join(" "));
    for (const scope of ["", entry.package]) {
      const frequencies = this.#frequencies.get(scope) ?? new Map<string, number>();
      this.#frequencies.set(scope, frequencies);
      for (const term of new Set(said)) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
    }
  }

  #frequency(scope: string, term: string): number {
    return this.#frequencies.get(scope)?.get(term) ?? 0;
  }

  #query(search: Search): Query {
    const importance = new Map<string, number>();
    const add = (term: string, weight: number): void => {
      if (weight > (importance.get(term) ?? 0)) importance.set(term, weight);
    };
    for (const term of search.terms) {
      add(term, 1);
      for (const related of relatedTerms(term)) add(related, RELATED_WEIGHT);
    }
    for (const term of search.remembered ?? []) add(term, REMEMBERED_WEIGHT * (search.memory ?? 1));
    const asked = new Set(search.terms);
    return {
      combineWith: "OR",
      queries: [...importance].map(([term, weight]) => ({
        queries: [term],
        tokenize: (text: string) => [text],
        boostTerm: () => (weight * this.weight(term, search.packages)) / this.#rarity(term),
        prefix: asked.has(term) && term.length >= 4,
        // A word that is known is spelled right: guessing would only bring in its neighbours.
        fuzzy: asked.has(term) && !this.knows(term) ? typingErrors(term) : false,
        weights: { prefix: 0.4, fuzzy: 0.5 },
      })),
    };
  }

  #at(position: number): Passage {
    const passage = this.passages[position];
    if (passage === undefined) throw new Error(`The index knows passage ${position}, the library does not`);
    return passage;
  }
}

/** How many letters of a word may be wrong. */
function typingErrors(term: string): number | false {
  if (term.length < 5) return false;
  return term.length < 9 ? 1 : 2;
}

function inverseFrequency(frequency: number, total: number): number {
  return Math.log(1 + (total - frequency + 0.5) / (frequency + 0.5));
}

function grouped(passages: readonly Passage[]): Map<string, Passage[]> {
  const groups = new Map<string, Passage[]>();
  for (const passage of passages) {
    const group = groups.get(passage.package);
    if (group === undefined) groups.set(passage.package, [passage]);
    else group.push(passage);
  }
  return groups;
}

function entryOf(passage: Passage, id: number): Entry {
  const code = passage.blocks.filter(({ kind }) => kind === "code");
  const text = passage.blocks.filter(({ kind }) => kind !== "code");
  return {
    id,
    package: passage.package,
    title: passage.titles.at(-1) ?? "",
    path: passage.titles.slice(0, -1).join(" "),
    text: text.map((block) => block.text).join("\n"),
    code: code.map((block) => block.text).join("\n"),
  };
}
