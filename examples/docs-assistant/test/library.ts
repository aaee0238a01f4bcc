/** The documentation of two made-up packages, as a library. */
import { join } from "node:path";
import { documentsIn } from "../src/library/find-documents.js";
import { Library } from "../src/library/library.js";
import { readDocuments } from "../src/library/read-documents.js";

export const fixtures = join(import.meta.dirname, "fixtures");

export async function fixtureLibrary(): Promise<Library> {
  const documents = await Promise.all(["kiln", "ferry"].map((name) => documentsIn(join(fixtures, name))));
  return Library.of(await readDocuments(documents.flat()));
}
