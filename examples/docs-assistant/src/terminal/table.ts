/** Columns side by side: text to the left, numbers (`right`) to the right. */
import { textWidth } from "./text-width.js";

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => Math.max(...all.map((row) => textWidth(row[index] ?? ""))));
  return all.map((row) => {
    const cells = columns.map(({ right }, index) => aligned(row[index] ?? "", widths[index] ?? 0, right === true));
    return cells.join("   ").trimEnd();
  });
}

function aligned(text: string, width: number, right: boolean): string {
  const space = " ".repeat(Math.max(0, width - textWidth(text)));
  return right ? space + text : text + space;
}
