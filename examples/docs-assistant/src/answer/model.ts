/**
 * Lets a model write the answer: any server that speaks the chat-completions format, asked to stream.
 */
import { z } from "zod";
import type { Passage } from "../library/read-documents.js";
import type { Message } from "./conversation.js";
import { readServerEvents } from "./server-events.js";
import type { Writer } from "./writer.js";

export interface ModelOptions {
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string;
}

const DEFAULT_BASE_URL = "https://api.openai.com/v1";
const DEFAULT_MODEL = "gpt-4.1-mini";
const REMEMBERED_MESSAGES = 8;
const INSTRUCTIONS = `You answer questions about software documentation. Use only the numbered passages. Cite each passage you use
as [n], right after what it supports. If the passages do not answer the question, say so. Be brief; show code where it helps.`;

/** `undefined` where the environment names no model: neither OPENAI_API_KEY nor OPENAI_BASE_URL. */
export function modelFromEnvironment(environment: NodeJS.ProcessEnv): ModelOptions | undefined {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, OPENAI_MODEL: model } = environment;
  if (!apiKey && !baseUrl) return undefined;
  return { baseUrl: baseUrl || DEFAULT_BASE_URL, model: model || DEFAULT_MODEL, ...(apiKey ? { apiKey } : {}) };
}

export function modelWriter(options: ModelOptions): Writer {
  return {
    name: `by ${options.model} at ${new URL(options.baseUrl).host}`,
    async write({ retrieval: { question, passages }, history, say, signal }) {
      const messages = [
        { role: "system", content: INSTRUCTIONS },
        ...history.slice(-REMEMBERED_MESSAGES).map(({ role, text }: Message) => ({ role, content: text })),
        { role: "user", content: `${passages.map(quoted).join("\n\n")}\n\nQuestion: ${question.text}` },
      ];
      let text = "";
      for await (const piece of complete(options, messages, signal)) {
        text += piece;
        say(piece);
      }
      if (text.trim() === "") throw new Error(`The model ${options.model} gave an empty answer.`);
      return { text, passages };
    },
  };
}

function quoted(passage: Passage, index: number): string {
  const body = passage.blocks.map(({ kind, text }) => (kind === "code" ? `\`\`\`\n${text}\n\`\`\`` : text)).join("\n");
  return `[${index + 1}] ${passage.path} § ${passage.titles.join(" › ")}\n${body}`;
}

const Failure = z.object({ error: z.object({ message: z.string() }) });
const Chunk = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string().nullish() }).optional() })).optional(),
});

async function* complete(
  options: ModelOptions,
  messages: readonly object[],
  signal: AbortSignal,
): AsyncGenerator<string> {
  const response = await post(`${options.baseUrl.replace(/\/$/u, "")}/chat/completions`, {
    headers: {
      "content-type": "application/json",
      ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
    },
    body: JSON.stringify({ model: options.model, stream: true, messages }),
    signal,
  });
  if (!response.ok || response.body === null) throw await refusal(response);
  for await (const data of readServerEvents(response.body)) {
    if (data === "[DONE]") return;
    const chunk: unknown = JSON.parse(data);
    const failure = Failure.safeParse(chunk);
    if (failure.success) throw new Error(`The model stopped: ${failure.data.error.message}`);
    const content = Chunk.parse(chunk).choices?.[0]?.delta?.content;
    if (content) yield content;
  }
}

/** `fetch` alone says no more than "fetch failed". */
async function post(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...request, method: "POST" });
  } catch (error) {
    request.signal?.throwIfAborted();
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new Error(`The model endpoint ${url} cannot be reached: ${reason}`, { cause: error });
  }
}

async function refusal(response: Response): Promise<Error> {
  const body = await response.text();
  const parsed = Failure.safeParse(parsedJson(body));
  const reason = parsed.success ? parsed.data.error.message : body.slice(0, 200);
  return new Error(`The model endpoint answered ${response.status} ${response.statusText}: ${reason}`);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
