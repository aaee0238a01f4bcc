/** What was done, what it cost, and the verdict. */

import type { History } from "@heddle/core/testing";
import { historyRules, Tally } from "@heddle/core/testing";
import { countBy, printTable, quantile } from "../proofs/support/table.js";
import type { ChaosResult } from "./run-chaos.js";

type Rows = (readonly [string, string | number])[];

export function report({ history, violations, troubles, times, without }: ChaosResult): void {
  const tally = new Tally();
  tally.add(history);
  const { calls = {}, runs = {}, workers = {} } = tally.toJSON();
  printTable("what was done", [
    ...[...troubles].map(
      ([kind, { count, ms }]) => [kind, `${count}${ms > 0 ? ` (${seconds(ms / count)} each)` : ""}`] as const,
    ),
    ...(without === undefined ? [] : [["left out", without] as const]),
    ["processes that were started", workers.started ?? 0],
    ["calls of clients", sum(Object.values(calls))],
    ["… carried out", callsThat(calls, (how) => how === "ok")],
    ...refusals(calls),
    ["… storage away: carried out or not", callsThat(calls, (how) => how === "STORAGE_UNAVAILABLE")],
    ["… lost with the client's process", callsThat(calls, (how) => how === "lost")],
  ]);
  printTable(
    "runs",
    Object.entries(runs).sort(([, a], [, b]) => b - a),
  );
  printTable("what it cost", costs(history, times));
  printVerdict(history, violations);
}

function costs({ entries, final }: History, times: ChaosResult["times"]): Rows {
  const refused = entries.filter((entry) => entry.type === "not_written");
  const own = final.runs.filter(({ n }) => n > 0);
  const attempts = sum(own.map(({ attempt }) => attempt));
  const reports = Object.entries(
    countBy(
      entries.filter((entry) => entry.type === "trouble"),
      (entry) => ("code" in entry ? String(entry.code) : ""),
    ),
  );
  return [
    ["load and faults", seconds(times.load)],
    ["runs settled per second meanwhile", own.length / (times.load / 1_000)],
    ["from the last fault until all was settled", seconds(times.settling)],
    ["attempts per run", attempts / Math.max(own.length, 1)],
    ["attempts that lost their lease", sum(own.map(({ crashes }) => crashes))],
    ["attempts of one run, most", Math.max(0, ...own.map(({ attempt }) => attempt))],
    [
      "writes refused, as their attempt was fenced off",
      refused.filter((entry) => "code" in entry && entry.code === "LEASE_LOST").length,
    ],
    ...answerTimes(entries),
    ...reports.map(([code, count]) => [`engines reported ${code}`, count] as const),
    ["judging", seconds(times.checking)],
  ];
}

/** How long callers waited for the answer to a start. */
function answerTimes(entries: History["entries"]): Rows {
  const asked = new Map<number, number>();
  const times: number[] = [];
  for (const entry of entries) {
    if (entry.type === "call" && entry.command.kind === "start") asked.set(entry.call, entry.time);
    if (entry.type !== "answer" || entry.answer.type !== "ok") continue;
    const from = asked.get(entry.call);
    if (from !== undefined) times.push(entry.time - from);
  }
  if (times.length === 0) return [];
  const at = (share: number): string => `${quantile(times, share).toFixed(0)} ms`;
  return [["a start was accepted after (median, p99, slowest)", `${at(0.5)}, ${at(0.99)}, ${at(1)}`]];
}

export function printVerdict({ entries, final }: History, violations: ChaosResult["violations"]): void {
  const rules = Object.keys(historyRules).length;
  const size = `${entries.length} observations, ${final.runs.length} runs, ${final.threads.length} threads, ${rules} promises`;
  if (violations.length === 0) return void process.stdout.write(`  All promises kept: ${size}\n`);
  process.stdout.write(`  ${violations.length} BREACHES: ${size}\n`);
  for (const [rule, count] of Object.entries(countBy(violations, (violation) => violation.rule))) {
    const [first] = violations.filter((violation) => violation.rule === rule);
    process.stdout.write(`    ${rule} (${count}): ${first?.message.slice(0, 600)}\n`);
  }
}

/** By the code that the caller got. */
function refusals(calls: Readonly<Record<string, number>>): Rows {
  const codes = new Set(Object.keys(calls).map((name) => name.split(": ")[1] ?? ""));
  const others = ["ok", "lost", "STORAGE_UNAVAILABLE"];
  const refused = [...codes].filter((code) => !others.includes(code)).sort();
  return refused.map((code) => [`… refused: ${code}`, callsThat(calls, (how) => how === code)] as const);
}

function callsThat(calls: Readonly<Record<string, number>>, fits: (how: string) => boolean): number {
  return sum(Object.entries(calls).flatMap(([name, count]) => (fits(name.split(": ")[1] ?? "") ? [count] : [])));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 0)} s`;
}
