/** The `data` of each server-sent event of a response, as it arrives. */
export async function* readServerEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split(/\r?\n/u);
    rest = lines.pop() ?? "";
    yield* dataOf(lines);
  }
  yield* dataOf([rest]);
}

function* dataOf(lines: readonly string[]): Generator<string> {
  for (const line of lines) {
    if (line.startsWith("data:")) yield line.slice("data:".length).trim();
  }
}
