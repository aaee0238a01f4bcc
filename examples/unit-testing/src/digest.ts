/** The agent under test: it fetches news and keeps a digest; the fetch is handed in, so a test can replace it. */

import { defineAgent } from "@heddle/core";
import { z } from "zod";

export type FetchNews = (topic: string, signal: AbortSignal) => Promise<readonly string[]>;

export function digestAgent(fetchNews: FetchNews) {
  return defineAgent({
    name: "digest",
    input: z.object({ topic: z.string() }),
    values: z.object({ headlines: z.array(z.string()).default([]) }),
    output: z.object({ fresh: z.number() }),
    retry: { maxFailures: 3, delay: 60_000, jitter: "none" },
    attemptTimeout: 30_000,
    async run({ input, values, signal }) {
      const news = await fetchNews(input.topic, signal);
      const fresh = news.filter((headline) => !values.headlines.includes(headline));
      return { output: { fresh: fresh.length }, values: { headlines: [...values.headlines, ...fresh] } };
    },
  });
}
