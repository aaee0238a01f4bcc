/**
 * Hears of other processes' commits, on a client of its own: LISTEN belongs to a session, and the pool's sessions belong
 * to whoever borrows them.
 *
 *   closed ──start──▶ connecting ──listen, self-test──▶ listening ──connection lost──▶ connecting, after a while
 *                          ├── the session is not the client's own (a pooler) ──▶ deaf, for good: nothing is left in it
 *                          └── the test's own notification does not arrive ──▶ deaf, for good
 *
 * Whatever was committed while nobody listened is made good by one hint once listening begins again.
 */

import { randomUUID } from "node:crypto";
import { hasOwnSession, type SessionClient } from "./own-session.js";
import { pause } from "./pause.js";

/** What we use of a client of pg. */
export interface ListenClient extends SessionClient {
  on(event: "notification", listener: (message: { readonly payload?: string | undefined }) => void): unknown;
  on(event: "error" | "end", listener: () => void): unknown;
}

export interface ListenerOptions {
  createClient(): ListenClient;
  readonly channel: string;
  /** Send a text to the channel the way all others do. */
  say(text: string): Promise<void>;
  hear(text: string): void;
  /** Listening has begun, for the first time or again. */
  begun(): void;
}

/** ms */
const testTakesAtMost = 1_000;
const startTakesAtMost = 250;
const firstPause = 100;
const longestPause = 10_000;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #test = `?${randomUUID()}`;
  #client: ListenClient | undefined;
  #state: "closed" | "connecting" | "listening" | "deaf" = "closed";
  #endTest: ((hears: boolean | Error) => void) | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  get isListening(): boolean {
    return this.#state === "listening";
  }

  /** Resolves after the first try, however it went, or when it takes long: nobody needs to listen in order to work. */
  async start(): Promise<void> {
    this.#state = "connecting";
    await Promise.race([this.#begin(), pause(startTakesAtMost)]);
  }

  async stop(): Promise<void> {
    this.#state = "closed";
    await this.#drop();
  }

  async #begin(): Promise<void> {
    if (!(await this.#try())) void this.#keepTrying();
  }

  async #keepTrying(): Promise<void> {
    for (let wait = firstPause; this.#state === "connecting"; wait = Math.min(wait * 2, longestPause)) {
      await pause(wait * (0.5 + Math.random() / 2));
      if (this.#state !== "connecting") return;
      if (await this.#try()) return this.#options.hear("*");
    }
  }

  /** @returns whether nothing is left to try */
  async #try(): Promise<boolean> {
    try {
      const client = this.#options.createClient();
      this.#client = client;
      client.on("error", () => this.#lose(client));
      client.on("end", () => this.#lose(client));
      client.on("notification", ({ payload = "" }) => this.#hear(payload));
      await client.connect();
      const hears = (await this.#isOwnSession(client)) && (await this.#hearsItself(client));
      if (this.#state !== "connecting") return true;
      this.#state = hears ? "listening" : "deaf";
      if (hears) this.#options.begun();
      else await this.#drop();
      return true;
    } catch {
      await this.#drop();
      return false;
    }
  }

  /** @throws Error where a busy server or pooler does not say so in time: another try may find it less busy */
  async #isOwnSession(client: ListenClient): Promise<boolean> {
    const isOwn = await inTime(hasOwnSession(client, this.#options.createClient));
    if (isOwn === undefined) throw new Error("nobody answered in time");
    return isOwn;
  }

  async #hearsItself(client: ListenClient): Promise<boolean> {
    await client.query(`listen ${this.#options.channel}`);
    const heard = new Promise<boolean>((resolve, reject) => {
      this.#endTest = (hears) => (typeof hears === "boolean" ? resolve(hears) : reject(hears));
    });
    const [hears] = await Promise.all([inTime(heard), this.#options.say(this.#test)]).finally(() =>
      this.#endTest?.(false),
    );
    return hears === true;
  }

  #hear(text: string): void {
    if (text === this.#test) this.#endTest?.(true);
    else if (!text.startsWith("?")) this.#options.hear(text);
  }

  #lose(client: ListenClient): void {
    if (client !== this.#client) return;
    this.#endTest?.(new Error("the connection was lost"));
    if (this.#state !== "listening") return;
    this.#state = "connecting";
    void this.#drop();
    void this.#keepTrying();
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }
}

/** `undefined` where it takes too long. */
function inTime(test: Promise<boolean>): Promise<boolean | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), testTakesAtMost);
  });
  return Promise.race([test, late]).finally(() => clearTimeout(timer));
}
