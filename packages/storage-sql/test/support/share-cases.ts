import { storageConformance } from "@heddle/core/testing";

const isQuick = (process.env["HEDDLE_TEST_SIZE"] ?? "quick") === "quick";

/** The cases that each way to a storage runs. In a quick run those that may share them do, so that each runs once. */
export function shareCases(sharing: readonly string[]): (way: string) => typeof storageConformance {
  return (way) => {
    const turn = isQuick ? sharing.indexOf(way) : -1;
    return turn < 0 ? storageConformance : storageConformance.filter((_, index) => index % sharing.length === turn);
  };
}
