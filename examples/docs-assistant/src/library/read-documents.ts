/**
 * Reads documents into passages, the unit that is searched, quoted and cited.
 */
import { readFile } from "node:fs/promises";
import { type Section, sections } from "../markdown/sections.js";
import type { DocumentFile } from "./find-documents.js";

export interface Passage extends Section {
  /** `path:line`, stable from run to run for as long as the file is the same. */
  readonly id: string;
  readonly package: string;
  readonly path: string;
}

export interface ReadingProgress {
  readonly files: number;
  readonly totalFiles: number;
  readonly passages: number;
}

/** Unreadable files are left out: one of them must not hide all others. */
export async function readDocuments(
  documents: readonly DocumentFile[],
  onProgress: (progress: ReadingProgress) => void = () => {},
): Promise<Passage[]> {
  const passages: Passage[] = [];
  for (const [index, document] of documents.entries()) {
    passages.push(...passagesOf(document, await readFile(document.file, "utf8").catch(() => "")));
    onProgress({ files: index + 1, totalFiles: documents.length, passages: passages.length });
  }
  return passages;
}

export function passagesOf(document: Pick<DocumentFile, "package" | "path">, markdown: string): Passage[] {
  return sections(markdown).map((section) => ({
    ...section,
    id: `${document.path}:${section.line}`,
    package: document.package,
    path: document.path,
  }));
}
