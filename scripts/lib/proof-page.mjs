import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readJson } from "./paths.mjs";
import { formatDuration } from "./progress.mjs";
import { proofParts } from "./proof-parts.mjs";

/**
 * What a part of `npm run prove` gave.
 * @typedef {object} ProofResult
 * @property {string} id
 * @property {string} title
 * @property {string} date UTC
 * @property {string} commit
 * @property {string} command
 * @property {string} machine
 * @property {number} seconds
 * @property {string} [failure] none: it passed
 * @property {string[]} figures lines of text
 */

/** In the order of the parts. @param {string} folder @returns {ProofResult[]} */
export function readResults(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  /** @type {ProofResult[]} */
  const results = files.map((name) => readJson(join(folder, name)));
  const order = proofParts.map(({ id }) => id);
  return results.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
}

/** @param {ProofResult[]} results */
export function pageOf(results) {
  const rows = results.map(
    ({ title, failure, date, commit, seconds }) =>
      `| ${title} | ${failure ?? "passed"} | ${date} | ${commit} | ${formatDuration(seconds * 1000)} |`,
  );
  const sections = results.map(
    ({ title, command, machine, figures }) =>
      `## ${title}\n\n\`${command}\` on ${machine}\n\n\`\`\`text\n${figures.join("\n")}\n\`\`\``,
  );
  return `${[
    "# Proof",
    "Written by `npm run prove`: what is too long for every change. Run it yourself; `npm run prove -- --only simulate`\nruns a part.",
    ["| Part | Verdict | Date (UTC) | Commit | Time |", "|---|---|---|---|---|", ...rows].join("\n"),
    ...sections,
  ].join("\n\n")}\n`;
}
