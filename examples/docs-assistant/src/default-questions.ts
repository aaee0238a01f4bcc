/** What to ask when nobody asks: something that the library can be expected to know. */
import type { Library } from "./library/library.js";

const ABOUT_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  zod: ["How do I validate data with zod?", "What if it is async?", "And how do I handle errors?"],
  "p-queue": ["How do I limit how many tasks run at once with p-queue?", "How do I pause it?", "Show me an example"],
};

export function defaultQuestions(library: Library): readonly string[] {
  const known = Object.entries(ABOUT_PACKAGES).find(([name]) => library.of(name).length > 0);
  if (known !== undefined) return known[1];
  const largest = [...library.packages].sort((a, b) => library.of(b).length - library.of(a).length)[0];
  return largest === undefined ? [] : [`What is ${largest}?`, "Tell me more", "Show me an example"];
}
