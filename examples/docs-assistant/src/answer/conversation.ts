/**
 * What a thread remembers: plain JSON, so that a checkpoint reads back as it was written.
 */
import { z } from "zod";

export const Source = z.object({
  /** The number it is cited by in the answer. */
  number: z.number().int(),
  id: z.string(),
  path: z.string(),
  line: z.number().int(),
  heading: z.string(),
});
export type Source = z.infer<typeof Source>;

export const Message = z.object({
  role: z.enum(["user", "assistant"]),
  text: z.string(),
  sources: z.array(Source).optional(),
});
export type Message = z.infer<typeof Message>;

/** What the conversation is about, for questions like "how do I turn it off?". */
export const Topic = z.object({
  /** The words of the last question that had any. */
  focus: z.array(z.string()),
  /** Those of the questions before it that led there, newest first. */
  context: z.array(z.string()),
  packages: z.array(z.string()),
  /** The passages of the last answer. */
  passages: z.array(z.string()),
  /** Everything quoted on this topic so far, for "tell me more". */
  shown: z.array(z.string()),
});
export type Topic = z.infer<typeof Topic>;

export const Values = z.object({
  messages: z.array(Message).default([]),
  topic: Topic.nullable().default(null),
});
export type Values = z.infer<typeof Values>;

export const Answer = z.object({ answer: z.string(), sources: z.array(Source) });
export type Answer = z.infer<typeof Answer>;
