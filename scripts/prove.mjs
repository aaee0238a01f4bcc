// npm run prove [-- --only soak,simulate] [-- --short]: all that is too long for CI, one part after the other. Each part's
// result is kept in docs/proof/, so that parts can be proved on different days; docs/proof.md shows the last of each.
// --short tries every part with small sizes and keeps the results in .work/ only.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join, relative, sep } from "node:path";
import { parseArgs } from "node:util";
import { root, workDir } from "./lib/paths.mjs";
import { formatDuration, startProgress } from "./lib/progress.mjs";
import { pageOf, readResults } from "./lib/proof-page.mjs";
import { proofParts } from "./lib/proof-parts.mjs";
import { readOptions } from "./lib/read-options.mjs";
import { CommandFailed, runCommand } from "./lib/run-command.mjs";

const usage = `npm run prove -- [options]

  --only A,B,…    parts whose names contain one of these: ${proofParts.map(({ id }) => id).join(", ")}
  --short         small sizes; the results are kept in .work/ only

Exit code 1: something is not proved.`;

const { short, wanted } = readOptions(usage, () => {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: { only: { type: "string" }, short: { type: "boolean", default: false }, help: { type: "boolean" } },
  });
  if (values.help) return undefined;
  const only = values.only?.split(",");
  const wanted = proofParts.filter(({ id }) => only?.some((part) => id.includes(part)) ?? true);
  if (wanted.length === 0) throw new Error(`No part is called "${values.only}".`);
  return { short: values.short, wanted };
});

const folder = short ? workDir : join(root, "docs");
mkdirSync(join(folder, "proof"), { recursive: true });
for (const [index, part] of wanted.entries()) await prove(part, `[${index + 1}/${wanted.length}]`);

/** @param {import("./lib/proof-parts.mjs").Part} part @param {string} position */
async function prove(part, position) {
  const args = short ? part.short : part.full;
  const command = ["npm", "run", part.script, ...(args.length === 0 ? [] : ["--", ...args])];
  const label = `${position} ${part.title}`;
  const commit = commitNow();
  const startedAt = Date.now();
  const progress = startProgress(label);
  /** @type {string[]} */
  const lines = [];
  const onLine = (/** @type {string} */ line) => {
    progress.output(line);
    lines.push(line);
  };
  const failure = await runCommand(command[0] ?? "", command.slice(1), {
    cwd: root,
    env: short ? {} : (part.env ?? {}),
    onLine,
  }).then(
    () => part.judge?.(lines),
    (error) => (error instanceof CommandFailed ? error.message : `${error}`),
  );
  progress.stop();
  /** @type {import("./lib/proof-page.mjs").ProofResult} */
  const result = {
    id: part.id,
    title: part.title,
    date: new Date(startedAt).toISOString().slice(0, 16).replace("T", " "),
    commit,
    command: command.join(" "),
    machine: `Node ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model ?? "unknown"}`,
    seconds: Math.round((Date.now() - startedAt) / 1000),
    ...(failure === undefined ? {} : { failure }),
    figures: figuresOf(lines),
  };
  writeFileSync(join(folder, "proof", `${part.id}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
  writeFileSync(join(folder, "proof.md"), pageOf(readResults(join(folder, "proof"))));
  const took = formatDuration(Date.now() - startedAt);
  console.log(failure === undefined ? `✔ ${label}: ${took}` : `✖ ${label}: ${failure}, after ${took}`);
  for (const line of result.figures) console.log(`    ${line}`);
  console.log(`    kept in ${relative(root, folder)}/proof.md\n`);
  if (failure !== undefined) process.exitCode = 1;
}

/** With a mark where the tree is not what was committed: what is proved is somebody's own. */
function commitNow() {
  const git = (/** @type {string[]} */ ...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", ".", ":!docs/proof", ":!docs/proof.md") !== "";
  return git("rev-parse", "--short", "HEAD") + (changed ? " with local changes" : "");
}

/** Where this machine keeps things says nothing to others. @param {string} line */
function withoutOwnPaths(line) {
  return line.replaceAll(`${root}${sep}`, "").replaceAll(process.execPath, "node");
}

/** The output less the progress and what npm and the steps before say. @param {string[]} lines */
function figuresOf(lines) {
  const noise = /^(> |npm |▶|✔ \[|✖ \[|- \[|\[\d+\/\d+\]|[█░⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]|\[[#.]+\]|\s*\d+ %\s|\s+\d+ s\s)/;
  const said = lines.map((line) => withoutOwnPaths(line.trimEnd())).filter((line) => !noise.test(line));
  // One empty line between paragraphs, none around them.
  return said
    .filter((line, index) => line !== "" || (said[index - 1] ?? "") !== "")
    .join("\n")
    .trim()
    .split("\n");
}
