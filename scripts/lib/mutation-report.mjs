import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readJson, workDir } from "./paths.mjs";

/**
 * @typedef {object} Mutant
 * @property {"Killed" | "Timeout" | "Survived" | "NoCoverage" | "Ignored" | "CompileError" | "RuntimeError"} status
 * @property {string} [replacement]
 * @property {{ start: Position, end: Position }} location
 *
 * @typedef {{ line: number, column: number }} Position from 1
 * @typedef {{ name: string, source: string, mutants: Mutant[] }} MutatedFile
 * @typedef {{ file: string, place: string, line: string, code: string, change: string }} Survivor
 */

/** What Stryker leaves. */
export const reportFile = join(workDir, "mutation/report.json");

/** @returns {MutatedFile[]} by name */
export function readReport() {
  const { files } = readJson(reportFile);
  return Object.entries(files)
    .map(([name, { source, mutants }]) => ({ name: name.replace("packages/core/src/", ""), source, mutants }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** How many there are of each, less those that are left out by rule. @param {MutatedFile[]} files */
export function sumOf(files) {
  const mutants = files.flatMap((file) => file.mutants).filter(({ status }) => status !== "Ignored");
  const count = (/** @type {string[]} */ ...wanted) => mutants.filter(({ status }) => wanted.includes(status)).length;
  const noticed = count("Killed", "Timeout");
  return {
    mutants: mutants.length,
    killed: count("Killed"),
    hung: count("Timeout"),
    survived: count("Survived"),
    untested: count("NoCoverage"),
    score: mutants.length === 0 ? 100 : (100 * noticed) / mutants.length,
  };
}

/** @param {MutatedFile[]} files */
export function tableOf(files) {
  const header = ["file", "mutants", "killed", "hung", "survived", "no test", "noticed"];
  const rows = [...files.map((file) => rowOf(file.name, [file])), rowOf("all", files)];
  const widths = header.map((title, at) =>
    Math.max(...[header, ...rows].map((row) => row[at]?.length ?? 0), title.length),
  );
  const align = (/** @type {string[]} */ row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  ");
  return [header, ...rows].map(align).join("\n");
}

/** @param {string} name @param {MutatedFile[]} files */
function rowOf(name, files) {
  const { mutants, killed, hung, survived, untested, score } = sumOf(files);
  return [name, ...[mutants, killed, hung, survived, untested].map(String), `${score.toFixed(1)} %`];
}

/**
 * What nobody noticed, and which of it the page of explanations does not tell of: it has a heading per file, and under it
 * lines that begin with code in backticks, which explain what is changed in lines that contain it.
 * @param {MutatedFile[]} files @param {string} page
 */
export function survivorsOf(files, page) {
  const explained = explanationsOf(readFileSync(page, "utf8"));
  const survivors = files.flatMap((file) => survivorsIn(file));
  const isExplained = (/** @type {Survivor} */ { file, line }) =>
    explained.some((explanation) => explanation.file === file && line.includes(explanation.code));
  return { left: survivors.length, unknown: survivors.filter((survivor) => !isExplained(survivor)) };
}

/** @param {string} page */
function explanationsOf(page) {
  /** @type {{ file: string, code: string }[]} */
  const explanations = [];
  let file = "";
  for (const line of page.split("\n")) {
    file = /^## `?([^`]+)`?$/.exec(line)?.[1] ?? file;
    const code = /^- `` ?(.+?) ?``/.exec(line)?.[1] ?? /^- `([^`]+)`/.exec(line)?.[1];
    if (code !== undefined) explanations.push({ file, code });
  }
  return explanations;
}

/** @param {MutatedFile} file @returns {Survivor[]} */
function survivorsIn({ name, source, mutants }) {
  const lines = source.split("\n");
  return mutants
    .filter(({ status }) => status === "Survived" || status === "NoCoverage")
    .map(({ location: { start, end }, replacement = "" }) => {
      const line = lines[start.line - 1] ?? "";
      const code = line.slice(start.column - 1, start.line === end.line ? end.column - 1 : undefined);
      return { file: name, place: `${name}:${start.line}`, line, code, change: replacement.split("\n")[0] ?? "" };
    });
}
