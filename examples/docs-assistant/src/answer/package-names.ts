/**
 * Which packages a question names. Some are called like ordinary words ("debug", "which"), and count only where the
 * sentence uses them as a name.
 */
import type { Library } from "../library/library.js";
import { contentWords, stem } from "../library/words.js";

/** The least part of a word's passages that makes it a package's own. */
const OWN = 0.5;
/** A word of this weight stands in about one of 90 passages or fewer. */
const RARE = 4.5;

export function packagesNamed(text: string, library: Library): string[] {
  const asked = ` ${text.toLowerCase().replace(/[?!,;:"'`()]|\.(?=\s|$)/gu, " ")} `;
  return library.packages.filter((name) => {
    const isThere = asked.includes(` ${name.toLowerCase()} `);
    return isThere && (isDistinctive(name, library) || isUsedAsName(asked, name));
  });
}

export function isPartOfName(word: string, names: readonly string[]): boolean {
  return names.some((name) => {
    const whole = name.toLowerCase();
    return whole === word || whole.split(/[-@/\d]+/u).includes(word);
  });
}

/** A name that is no ordinary word: by its form, or because hardly anybody but the package itself uses it. */
function isDistinctive(name: string, library: Library): boolean {
  if (/[-@/\d]/u.test(name)) return true;
  const term = stem(name.toLowerCase());
  return contentWords(name).length > 0 && (library.ownership(term, name) > OWN || library.weight(term) > RARE);
}

function isUsedAsName(asked: string, name: string): boolean {
  const escaped = name.toLowerCase().replace(/[.*+?^${}()|[\]\\]/gu, "\\$&");
  const before = "in|with|of|from|using|use|about|is|does|for|module|library|package";
  return new RegExp(`\\b(?:${before}) ${escaped} | ${escaped} (?:package|library|module)\\b`, "u").test(asked);
}
