/** Finds, reads and indexes the documentation, and shows how far it is. */
import { documentsIn, installedDocuments } from "./library/find-documents.js";
import { Library } from "./library/library.js";
import { readDocuments } from "./library/read-documents.js";
import { progressBar } from "./terminal/progress-bar.js";
import type { Screen } from "./terminal/screen.js";
import { counted, milliseconds } from "./terminal/units.js";

/** `folder`: read its Markdown; `undefined`: that of the packages installed for `home`. */
export async function openLibrary(folder: string | undefined, home: string, screen: Screen): Promise<Library> {
  const started = performance.now();
  const bar = progressBar(process.stdout, screen.paint);
  const documents = folder === undefined ? await installedDocuments(home) : await documentsIn(folder);
  const passages = await readDocuments(documents, ({ files, totalFiles, passages: count }) =>
    bar.update({
      done: files,
      total: totalFiles,
      note: `reading ${files}/${totalFiles} files, ${counted(count, "passage")}`,
    }),
  );
  const library = await Library.of(passages, (indexed) =>
    bar.update({
      done: indexed,
      total: passages.length,
      note: `indexing ${indexed}/${counted(passages.length, "passage")}`,
    }),
  );
  bar.clear();
  if (passages.length === 0) throw new Error(`There is no Markdown to read in ${folder ?? home}.`);
  const time = milliseconds(performance.now() - started);
  const from = folder === undefined ? counted(library.packages.length, "package") : folder;
  screen.line(
    `  ${screen.paint("green", "✓")} read ${counted(documents.length, "file")} of ${from}, indexed ${counted(passages.length, "passage")} in ${time}`,
  );
  return library;
}
