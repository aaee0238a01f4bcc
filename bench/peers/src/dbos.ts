/**
 * DBOS. A run is a workflow without steps. A turn is a workflow of two steps: read the thread's messages, append two, in
 * a table of the user's own.
 */

import { DBOS } from "@dbos-inc/dbos-sdk";
import { metered, meteredEach } from "../../src/meter.js";
import { numberedSchemas } from "../../src/numbered-schemas.js";
import type { Round, System } from "../../src/system.js";
import { atOnce, inLanes } from "../../src/workload.js";
import { Conversation } from "./conversation.js";

let conversation: Conversation | undefined;

const echo = DBOS.registerWorkflow(async (n: number) => ({ n }), { name: "echo" });
const chat = DBOS.registerWorkflow(
  async (thread: string, turn: number) => {
    const before = await DBOS.runStep(() => conversationOf().read(thread), { name: "read" });
    await DBOS.runStep(() => conversationOf().append(thread, turn), { name: "append" });
    return before.length + 2;
  },
  { name: "chat" },
);

export function createSystem({ url }: { readonly url: string }): System {
  const schemas = numberedSchemas(url, "dbos");

  async function launched(work: () => Promise<Round>): Promise<Round> {
    const schema = await schemas();
    DBOS.setConfig({
      name: "bench",
      systemDatabaseUrl: url,
      systemDatabaseSchemaName: schema,
      systemDatabasePoolSize: 10,
      logLevel: "error",
      enableOTLP: false,
    });
    await DBOS.launch();
    conversation = new Conversation(url, schema);
    await conversation.open();
    try {
      return await work();
    } finally {
      await conversation.close();
      await DBOS.shutdown();
    }
  }

  return {
    stateless: ({ runs }) => launched(() => metered(runs, () => inLanes(runs, atOnce, runOnce))),
    single: ({ single }) => launched(() => meteredEach(single, runOnce)),
    threads: ({ threads, turnsEach }) =>
      launched(() =>
        metered(threads * turnsEach, () =>
          inLanes(threads, atOnce, async (thread) => {
            for (let turn = 0; turn < turnsEach; turn++)
              await (await DBOS.startWorkflow(chat)(`thread-${thread}`, turn)).getResult();
          }),
        ),
      ),
  };
}

async function runOnce(n: number): Promise<void> {
  await (await DBOS.startWorkflow(echo)(n)).getResult();
}

function conversationOf(): Conversation {
  if (conversation === undefined) throw new Error("there is no conversation outside a round");
  return conversation;
}
