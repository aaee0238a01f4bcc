/**
 * The one pnpm version all scripts use. It comes through npx, so that a clone needs nothing but Node and npm; a
 * `packageManager` field would make pnpm fetch and verify itself, which fails behind registry mirrors.
 */
const PNPM = "pnpm@10.34.9";

/** What a person types to get the same pnpm. */
export const pnpmCommand = `npx -y ${PNPM}`;

/** @param {string[]} args @returns {[command: string, args: string[]]} */
export function pnpm(...args) {
  return ["npx", ["-y", PNPM, ...args]];
}
