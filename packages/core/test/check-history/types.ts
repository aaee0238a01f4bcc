/** The parts of a history, from what the package exports of it. */

import type { History, HistoryEntry } from "@heddle/core/testing";

export type { History, HistoryEntry };

type Entry<Type extends HistoryEntry["type"]> = Extract<HistoryEntry, { readonly type: Type }>;
export type Command = Entry<"call">["command"];
export type StartCommand = Extract<Command, { readonly kind: "start" }>["starts"][number];
export type Answer = Entry<"answer">["answer"];
export type SeenFrame = Entry<"frame">["frame"];
export type FinalRun = History["final"]["runs"][number];
export type FinalEvent = History["final"]["logs"][number]["events"][number];
