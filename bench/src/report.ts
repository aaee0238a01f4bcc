/** From cells to figures, and from figures to tables. */

import { cpuPerOperation, serverCpuPerOperation } from "./cell.js";
import type { MeasuredRow } from "./measure.js";
import type { Row, Verdict } from "./row.js";
import { judge } from "./row.js";
import { median, spread } from "./statistics.js";

export interface Report {
  readonly id: string;
  readonly title: string;
  readonly skipped?: string;
  readonly lines: readonly Line[];
  readonly verdicts: readonly Verdict[];
}

export interface Line {
  readonly system: string;
  /** By the columns' names: medians over the repetitions. */
  readonly figures: Readonly<Record<string, number>>;
  /** Of the first column: half of the range between the quartiles, as a part of the median. */
  readonly spread: number;
  readonly note?: string;
}

/** Beside every row. */
const always = [
  { name: "CPU ms per op", read: cpuPerOperation, digits: 3 },
  { name: "server's", read: serverCpuPerOperation, digits: 3 },
];

export function columnsOf(row: Row) {
  return [...row.columns, ...always];
}

export function reportOf({ row, cells }: MeasuredRow): Report {
  const lines = [...cells].map(([system, own]): Line => {
    const figures = columnsOf(row).map(({ name, read }) => [name, median(own.map(read))] as const);
    return {
      system: system.name,
      figures: Object.fromEntries(figures),
      spread: row.columns[0] === undefined ? 0 : spread(own.map(row.columns[0].read)),
      ...(system.note === undefined ? {} : { note: system.note }),
    };
  });
  const verdicts = (row.bounds ?? []).map((bound) => judge(bound, cells));
  return { id: row.id, title: row.title, lines, verdicts };
}

/** A row that nobody can measure here. */
export function skippedReport({ id, title, skipped = "" }: Row): Report {
  return { id, title, skipped, lines: [], verdicts: [] };
}

export function textOf(reports: readonly Report[], rows: readonly Row[]): string {
  return reports
    .map((report) =>
      textOfOne(
        report,
        rows.find(({ id }) => id === report.id),
      ),
    )
    .join("\n\n");
}

/** `undefined` where nothing was bounded. */
export function summaryOf(reports: readonly Report[]): string | undefined {
  const verdicts = reports.flatMap(({ verdicts }) => verdicts);
  if (verdicts.length === 0) return undefined;
  return `${verdicts.filter(({ met }) => met).length} of ${verdicts.length} bounds met`;
}

function textOfOne({ title, skipped, lines, verdicts }: Report, row: Row | undefined): string {
  if (skipped !== undefined || row === undefined) return `${title}\n  not measured: ${skipped}`;
  const columns = columnsOf(row).filter(({ name }) => lines.some(({ figures }) => isShown(figures[name])));
  const header = ["", ...columns.map(({ name }) => name), "spread"];
  const body = lines.map(({ system, figures, spread: apart }) => [
    `  ${system}`,
    ...columns.map(({ name, digits }) => numberText(figures[name], digits)),
    `${Math.round(apart * 100)} %`,
  ]);
  const notes = new Map<string, string[]>();
  for (const { system, note } of lines) if (note !== undefined) notes.set(note, [...(notes.get(note) ?? []), system]);
  const noteLines = [...notes].map(([note, of]) => `  ${of.join("; ")}: ${note}`);
  return [title, ...aligned([header, ...body]), ...verdicts.map(verdictText), ...noteLines].join("\n");
}

function isShown(value: number | undefined): boolean {
  return value !== undefined && Number.isFinite(value) && value !== 0;
}

export function verdictText({ bound, value, lowest, highest, met }: Verdict): string {
  const range = `(${numberText(lowest, 2)} to ${numberText(highest, 2)})`;
  return `  ${met ? "met    " : "NOT MET"}  ${bound}: ${numberText(value, 2)} ${range}`;
}

export function numberText(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return "";
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The first column to the left, all others to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
