/** Passages for those who ask for nothing in particular: a first look, an example, how it goes on. */
import type { Library } from "../library/library.js";
import type { Passage } from "../library/read-documents.js";

const FEATURES = /^(?:key |main )?(?:features|highlights|why\b.*)$/iu;
const USAGE = /^use$|\busage\b|getting started|quick ?start|\bexamples?\b|what is|how to use/iu;
/** An opening of fewer characters does not say what a package can do. */
const SHORT = 200;

/** What a package says about itself first, its features where that was short, and how it is used. */
export function introductions(packages: readonly string[], library: Library): Passage[] {
  return packages.flatMap((name) => {
    const passages = library.of(name);
    const opening = passages.find(isOpening) ?? passages[0];
    const others = passages.filter((passage) => passage !== opening);
    const features = opening !== undefined && lengthOf(opening) < SHORT ? others.find(isAboutFeatures) : undefined;
    return [opening, features, others.find(isUsage)].filter((passage) => passage !== undefined);
  });
}

/** An example of how the packages are used, rather one that was not shown yet. */
export function examples(packages: readonly string[], shown: readonly string[], library: Library): Passage[] {
  const showing = packages.flatMap((name) => library.of(name).filter(hasCode));
  const fresh = showing.filter(({ id }) => !shown.includes(id));
  const candidates = fresh.length > 0 ? fresh : showing;
  return [candidates.find(isUsage) ?? candidates[0]].filter((passage) => passage !== undefined);
}

/** What follows these passages in their files. */
export function following(ids: readonly string[], library: Library): Passage[] {
  const passages = ids.map((id) => library.find(id)).filter((passage) => passage !== undefined);
  return passages.flatMap((passage) => library.after(passage));
}

export function hasCode({ blocks }: Passage): boolean {
  return blocks.some(({ kind }) => kind === "code");
}

function isOpening({ blocks }: Passage): boolean {
  return blocks.some(({ kind, text }) => kind === "prose" && text.length > 30);
}

function isAboutFeatures({ titles }: Passage): boolean {
  return FEATURES.test(titles.at(-1) ?? "");
}

function isUsage({ titles }: Passage): boolean {
  return titles.some((title) => USAGE.test(title));
}

function lengthOf({ blocks }: Passage): number {
  return blocks.reduce((length, { text }) => length + text.length, 0);
}
