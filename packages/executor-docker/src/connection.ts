/** How the container engine is reached: Docker, rootless Docker or Podman, by a socket or over the network. */

import { HeddleError } from "@heddle/core";
import Docker from "dockerode";
import { readWholeAnswers } from "./whole-answers.js";

export type EngineConnection =
  | { readonly socketPath: string }
  | {
      readonly host: string;
      readonly port: number;
      /** PEM texts, where the engine asks for them. */
      readonly ca?: string;
      readonly cert?: string;
      readonly key?: string;
    };

/** Without an argument: as the `docker` command does it, by `DOCKER_HOST`, `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`. */
export function connect(connection: EngineConnection | undefined): Docker {
  const docker = clientOf(connection);
  readWholeAnswers(docker);
  return docker;
}

function clientOf(connection: EngineConnection | undefined): Docker {
  if (connection === undefined) return new Docker();
  if ("socketPath" in connection) return new Docker({ socketPath: connection.socketPath });
  const protocol = connection.cert === undefined && connection.ca === undefined ? "http" : "https";
  return new Docker({ ...connection, protocol });
}

interface EngineFailure extends Error {
  readonly statusCode?: number;
  readonly json?: { readonly message?: string };
}

/** Is it the engine's answer, with this status, and no failure to reach it? */
export function hasStatus(error: unknown, status: number): boolean {
  return (error as EngineFailure | undefined)?.statusCode === status;
}

/** What the engine said, or why it could not be asked. */
export function messageOf(error: unknown): string {
  const { json, message } = error as EngineFailure;
  return json?.message ?? message;
}

/** Ask the engine; what it does not answer, or refuses, is EXECUTOR_UNAVAILABLE. */
export async function ask<Result>(what: string, call: Promise<Result>): Promise<Result> {
  try {
    return await call;
  } catch (cause) {
    throw unavailable(what, cause);
  }
}

export function unavailable(what: string, cause: unknown): HeddleError {
  if (HeddleError.is(cause)) return cause;
  const { statusCode, code } = cause as EngineFailure & { readonly code?: string };
  const details = { ...(statusCode === undefined ? {} : { statusCode }), ...(code === undefined ? {} : { code }) };
  return new HeddleError("EXECUTOR_UNAVAILABLE", `The container engine could not ${what}: ${messageOf(cause)}`, {
    details,
    cause,
  });
}
