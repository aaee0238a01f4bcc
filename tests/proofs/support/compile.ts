/**
 * Programs as plain JavaScript: a process that is killed after a second shall not spend most of it compiling. Types are
 * stripped file by file; imports stay as they are, so the tree is kept. It lies where the packages are found.
 */

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const tests = fileURLToPath(new URL("../..", import.meta.url));
const cache = join(tests, "node_modules", ".cache");
/** Where programs lie, and what they import. */
const folders = ["proofs/programs", "proofs/support", "chaos", "chaos/programs"];

let compiled: string | undefined;

/** @param name from `tests/`, without the ending: `chaos/programs/worker` */
export function compiledProgram(name: string): string {
  compiled ??= compileAll();
  return join(compiled, `${name}.js`);
}

/** Kept by what it was made of: other files of the same run find it done. */
function compileAll(): string {
  const sources = folders.flatMap((folder) => sourcesIn(folder));
  const hash = createHash("sha256").update(JSON.stringify(sources)).digest("hex").slice(0, 16);
  const directory = join(cache, `programs-${hash}`);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(join(cache, "draft-"));
  writeFileSync(join(draft, "package.json"), '{ "type": "module" }');
  for (const { path, text } of sources) {
    mkdirSync(join(draft, dirname(path)), { recursive: true });
    writeFileSync(join(draft, path.replace(/\.ts$/, ".js")), withoutTypes(path, text));
  }
  publish(draft, directory);
  return directory;
}

function sourcesIn(folder: string) {
  const files = readdirSync(join(tests, folder)).filter((file) => file.endsWith(".ts"));
  return files.map((file) => ({ path: join(folder, file), text: readFileSync(join(tests, folder, file), "utf8") }));
}

function withoutTypes(fileName: string, text: string): string {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  return ts.transpileModule(text, { fileName, compilerOptions }).outputText;
}

/** Another file's process may have been faster. */
function publish(draft: string, directory: string): void {
  try {
    renameSync(draft, directory);
  } catch (error) {
    rmSync(draft, { recursive: true });
    if (!existsSync(directory)) throw error;
  }
}
