/**
 * An engine that dies in the middle of an answer, or hangs before it, must fail the call. docker-modem hears of an
 * answer's end only: a call whose connection breaks before that never settles, and "wait for a container" has its answer
 * begun all the time. So answers are read here; what they mean stays as docker-modem has it.
 */

import type { IncomingMessage } from "node:http";
import type Docker from "dockerode";

/** `true`: as it should be; a text: what went wrong. */
type StatusCodes = Readonly<Record<number, boolean | string>>;

interface Request {
  readonly isStream?: boolean;
  readonly statusCodes: StatusCodes;
  readonly abortSignal?: AbortSignal;
}

type Callback = (error: unknown, answer: unknown) => void;

interface Modem {
  dial(request: Request, callback: Callback): void;
}

/** When an answer must have begun, ms. A busy engine takes seconds to start or remove a container. */
const longestSilence = 120_000;

/** Streams are left to those who read them. */
export function readWholeAnswers(docker: Docker, silence: number = longestSilence): void {
  const modem = docker.modem as Modem;
  const dial = modem.dial.bind(modem);
  modem.dial = (request, callback) => {
    if (request.isStream === true) return dial(request, callback);
    const hung = new AbortController();
    const timer = setTimeout(() => hung.abort(), silence);
    const asked = { ...request, isStream: true, statusCodes: everyStatus, abortSignal: hung.signal };
    dial(asked, (error, response) => {
      clearTimeout(timer);
      if (hung.signal.aborted) return callback(new Error(`it gave no answer within ${silence / 1_000} s`), null);
      if (error) return callback(error, null);
      read(response as IncomingMessage, request.statusCodes).then(
        (answer) => callback(null, answer),
        (failure: unknown) => callback(failure, null),
      );
    });
  };
}

const everyStatus: StatusCodes = new Proxy({}, { get: () => true });

async function read(response: IncomingMessage, statusCodes: StatusCodes): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const json = parsed(body.toString());
  const status = response.statusCode ?? 0;
  const meaning = statusCodes[status];
  if (meaning === true) return json ?? body;
  const { message } = (json ?? {}) as { readonly message?: string };
  throw Object.assign(new Error(`(HTTP code ${status}) ${meaning ?? "unexpected"} - ${message ?? body.toString()}`), {
    statusCode: status,
    reason: meaning,
    json,
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
