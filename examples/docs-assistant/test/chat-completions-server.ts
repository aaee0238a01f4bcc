/** A real HTTP server that speaks the streaming chat-completions format, on a free port of this machine. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SeenRequest {
  readonly path: string | undefined;
  readonly authorization: string | undefined;
  readonly body: {
    readonly model: string;
    readonly stream: boolean;
    readonly messages: readonly { role: string; content: string }[];
  };
}

export interface ChatCompletionsServer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly requests: readonly SeenRequest[];
  /** Resolves when a client has hung up on a response. */
  readonly hungUp: Promise<void>;
}

export async function serveChatCompletions(
  answer: (response: ServerResponse, request: SeenRequest) => void | Promise<void>,
): Promise<ChatCompletionsServer> {
  const requests: SeenRequest[] = [];
  let noticeHangUp = (): void => {};
  const hungUp = new Promise<void>((resolve) => {
    noticeHangUp = resolve;
  });
  const server = createServer(async (request, response) => {
    response.once("close", () => response.writableFinished || noticeHangUp());
    const seen = await read(request);
    requests.push(seen);
    await answer(response, seen);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    hungUp,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function read(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = JSON.parse(Buffer.concat(chunks).toString()) as SeenRequest["body"];
  return { path: request.url, authorization: request.headers.authorization, body };
}

export function startStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
}

export function chunk(content: string): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
}
