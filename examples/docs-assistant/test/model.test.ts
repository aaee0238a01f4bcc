import { describe, expect, it } from "vitest";
import { modelFromEnvironment, modelWriter } from "../src/answer/model.js";
import { readQuestion } from "../src/answer/question.js";
import { retrieve } from "../src/answer/retrieve.js";
import { chunk, serveChatCompletions, startStream } from "./chat-completions-server.js";
import { fixtureLibrary } from "./library.js";

const library = await fixtureLibrary();
const retrieval = retrieve(readQuestion("How do I pause a worker?", null, library), null, library);

function brief(signal = new AbortController().signal) {
  const said: string[] = [];
  return { said, retrieval, history: [], say: (text: string) => void said.push(text), signal };
}

describe("a model from the environment", () => {
  it.each([
    [{}, undefined],
    [{ OPENAI_API_KEY: "" }, undefined],
    [{ OPENAI_API_KEY: "k" }, { baseUrl: "https://api.openai.com/v1", apiKey: "k" }],
    [
      { OPENAI_BASE_URL: "http://localhost:1/v1", OPENAI_MODEL: "m" },
      { baseUrl: "http://localhost:1/v1", model: "m" },
    ],
  ])("%o", (environment, expected) => {
    const found = modelFromEnvironment(environment);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  });
});

describe("a model's answer", () => {
  it("is said as it streams", async () => {
    await using server = await serveChatCompletions((response) => {
      startStream(response);
      response.write(chunk("Call `worker.pause()`"));
      response.write(chunk(" [1]."));
      response.end("data: [DONE]\n\n");
    });
    const asked = brief();
    const written = await modelWriter({ baseUrl: server.baseUrl, model: "m", apiKey: "secret" }).write(asked);
    expect(asked.said).toEqual(["Call `worker.pause()`", " [1]."]);
    expect(written).toEqual({ text: "Call `worker.pause()` [1].", passages: retrieval.passages });
  });

  it("rests on the passages, the question and what was said before", async () => {
    await using server = await serveChatCompletions((response) => {
      startStream(response);
      response.end(`${chunk("Yes.")}data: [DONE]\n\n`);
    });
    const history = [
      { role: "user", text: "What is ferry?" },
      { role: "assistant", text: "A job queue." },
    ] as const;
    await modelWriter({ baseUrl: `${server.baseUrl}/`, model: "m", apiKey: "secret" }).write({ ...brief(), history });
    const [request] = server.requests;
    expect(request).toMatchObject({
      path: "/v1/chat/completions",
      authorization: "Bearer secret",
      body: { model: "m", stream: true },
    });
    const messages = request?.body.messages ?? [];
    expect(messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
    expect(messages.at(-1)?.content).toMatch(
      /^\[1\] ferry\/README\.md § [\s\S]*Stops taking new jobs[\s\S]*Question: How do I pause a worker\?$/u,
    );
  });

  it("survives any cut of the stream, also within a character", async () => {
    const bytes = Buffer.from(`: a comment\r\n\r\n${chunk("Wärme ")}${chunk("🔥")}${chunk(".")}data: [DONE]\n\n`);
    await using server = await serveChatCompletions(async (response) => {
      startStream(response);
      for (const byte of bytes) {
        response.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    const { text } = await modelWriter({ baseUrl: server.baseUrl, model: "m" }).write(brief());
    expect(text).toBe("Wärme 🔥.");
    expect(server.requests[0]?.authorization).toBeUndefined();
  });

  it("stops when the run is canceled, and hangs up", async () => {
    await using server = await serveChatCompletions((response) => {
      startStream(response);
      response.write(chunk("This will take"));
    });
    const controller = new AbortController();
    const asked = brief(controller.signal);
    const answer = modelWriter({ baseUrl: server.baseUrl, model: "m" }).write({
      ...asked,
      say: (text) => {
        asked.say(text);
        controller.abort(new Error("canceled by the user"));
      },
    });
    await expect(answer).rejects.toThrow("canceled by the user");
    await server.hungUp;
    expect(asked.said).toEqual(["This will take"]);
  });
});

describe("a model that fails", () => {
  it("is quoted with its status", async () => {
    await using server = await serveChatCompletions((response) => {
      response.writeHead(429, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: "Slow down." } }));
    });
    await expect(modelWriter({ baseUrl: server.baseUrl, model: "m" }).write(brief())).rejects.toThrow(
      "The model endpoint answered 429 Too Many Requests: Slow down.",
    );
  });

  it("in plain text as well", async () => {
    await using server = await serveChatCompletions((response) => {
      response.writeHead(502).end("upstream is gone");
    });
    await expect(modelWriter({ baseUrl: server.baseUrl, model: "m" }).write(brief())).rejects.toThrow(
      "502 Bad Gateway: upstream is gone",
    );
  });

  it("in the middle of its answer", async () => {
    await using server = await serveChatCompletions((response) => {
      startStream(response);
      response.end(`${chunk("Well, ")}data: ${JSON.stringify({ error: { message: "out of memory" } })}\n\n`);
    });
    await expect(modelWriter({ baseUrl: server.baseUrl, model: "m" }).write(brief())).rejects.toThrow(
      "The model stopped: out of memory",
    );
  });

  it("by saying nothing", async () => {
    await using server = await serveChatCompletions((response) => {
      startStream(response);
      response.end("data: [DONE]\n\n");
    });
    await expect(modelWriter({ baseUrl: server.baseUrl, model: "m" }).write(brief())).rejects.toThrow("empty answer");
  });

  it("by not being there", async () => {
    const server = await serveChatCompletions(() => {});
    await server[Symbol.asyncDispose]();
    await expect(modelWriter({ baseUrl: server.baseUrl, model: "m" }).write(brief())).rejects.toThrow(/127\.0\.0\.1/u);
  });
});
