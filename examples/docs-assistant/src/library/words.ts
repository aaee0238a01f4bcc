/**
 * Words as the index and the questions see them. Both sides must cut and stem alike, so there is one place for it.
 */

const COMPOUND = /[\p{L}\p{N}_$]+(?:[-.][\p{L}\p{N}_$]+)*/gu;
const PART = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+|[^\p{Lu}\p{Ll}\p{N}_$.-]+/gu;

const STOP_WORDS = new Set(
  `a about after again all also am an and any anything are as at available back be because been being best better both but by can
  cannot come could d did do does doesn don done each else etc ever every everything exactly find for from further get
  give given gives go good got had happen happens has have having help helps here how i if in into is isn it its just kind know let like
  ll look make makes making many may me mean means might more most much must my need needs next no not now of ok okay on once only or other
  our out over own package packages library possible please question really re s same say see shall she should show simply so some something still such
  sure t take tell than thank thanks that the their them then there these they thing things this those to too
  understand up us use used uses using ve very want was way ways we well were what when where whether which while who whose why
  will with without won work works would yes yet you your`.split(/\s+/),
);

/** What people say, and what documentation calls it. Both sides are stemmed when the table is built. */
const SAID_AND_WRITTEN: readonly (readonly [said: string, written: string])[] = [
  ["parallel simultaneously", "concurrency concurrent"],
  ["concurrency", "concurrent parallel"],
  ["concurrent", "concurrency parallel"],
  ["simultaneous", "concurrency concurrent"],
  ["stop", "cancel abort pause close"],
  ["cancel", "abort signal"],
  ["abort", "cancel signal"],
  ["disable", "false off"],
  ["enable", "true on"],
  ["setup install", "install installation setup getting started"],
  ["delete", "remove"],
  ["remove", "delete"],
  ["fast faster speed slow", "performance benchmark"],
  ["error errors fail fails", "error throw catch exception reject"],
  ["typo typos misspelled misspelling", "fuzzy"],
  ["limit", "max maximum limit cap"],
  ["maximum", "limit max"],
  ["expire", "ttl expiration"],
  ["wait", "await idle"],
  ["exclude", "ignore"],
  ["combine", "merge"],
  ["async", "asynchronous"],
  ["asynchronous", "async"],
  ["check", "validate"],
  ["config settings", "options configuration"],
  ["listen", "event on"],
  ["callback", "hook event"],
];

/** Phrases that are one idea: the words alone would find "turn" and "off". */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/\bat (?:the same time|once)\b/giu, "concurrency"],
  [/\bin parallel\b/giu, "concurrency"],
  [/\b(?:turn|switch)(?:ed|ing)?\s+((?:[\w-]+\s+){0,3})off\b/giu, "disable $1"],
  [/\b(?:turn|switch)(?:ed|ing)?\s+((?:[\w-]+\s+){0,3})on\b/giu, "enable $1"],
  [/\bset(?:ting)? up\b/giu, "setup"],
  [/\b(i|you|we|to) set\b/giu, "$1"],
  [/\bget(?:ting)? rid of\b/giu, "remove"],
  [/\brun(?:ning)? out of time\b|\btak(?:es?|ing) too long\b/giu, "timeout"],
];

const ENDINGS = [
  "ations",
  "ation",
  "ators",
  "ator",
  "ating",
  "ated",
  "ates",
  "ate",
  "ings",
  "ing",
  "ions",
  "ion",
  "ed",
  "es",
  "s",
];
const MIN_STEM = 4;

/** `cancel`, `canceled`, `cancelling` and `cancellation` become one; deliberately much less than a real stemmer. */
export function stem(word: string): string {
  if (word.length <= 3 || /\p{N}/u.test(word)) return word;
  if (word.endsWith("ies") && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(?:ss|us|is)$/u.test(word)) return word;
  const ending = ENDINGS.find((end) => word.endsWith(end) && word.length - end.length >= (end === "s" ? 3 : MIN_STEM));
  const cut = ending === undefined ? word : word.slice(0, -ending.length);
  return cut.replace(/([bdfgklmnprt])\1$/u, "$1").replace(/(?<=...)e$/u, "");
}

/** `better-sqlite3` gives itself and `better`, `sqlite`; `onIdle` gives itself and `idle`. Order follows the text. */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const [compound] of text.matchAll(COMPOUND)) {
    const whole = compound.toLowerCase();
    const parts = (compound.match(PART) ?? []).map((part) => part.toLowerCase()).filter((part) => part.length > 1);
    found.push(whole, ...parts.filter((part) => part !== whole));
  }
  return found;
}

/** Index terms: every word and word part, stemmed. */
export function terms(text: string): string[] {
  return words(text).map(stem);
}

/** The words of a question that carry its subject, as the asker wrote them. */
export function contentWords(question: string): string[] {
  const rephrased = PHRASES.reduce((text, [phrase, idea]) => text.replace(phrase, idea), question);
  return [...new Set(words(rephrased).filter((word) => word.length > 1 && !STOP_WORDS.has(word)))];
}

const synonyms = new Map(
  SAID_AND_WRITTEN.flatMap(([said, written]) =>
    said.split(" ").map((word) => [stem(word), written.split(" ").map(stem)] as const),
  ),
);

/** Words of every documentation: they stand in a question, but seldom are what it asks about. */
const GENERIC = new Set(
  `run call create add define pass change write task method function option parameter argument value result data file code object
  type class instance project app application user case time number version kind name
  handle manage support specify provide allow configure keep start begin deal apply implement react happen`
    .split(/\s+/)
    .map(stem),
);

export function isGeneric(term: string): boolean {
  return GENERIC.has(term);
}

/** Other index terms that documentation may use for this one. */
export function relatedTerms(term: string): readonly string[] {
  return (synonyms.get(term) ?? []).filter((other) => other !== term);
}
