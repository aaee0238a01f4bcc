/** Arbitrary arguments for public entries: anything at all, and options that are nearly right. */

import fc from "fast-check";

/** Names that some public entry reads, so that nonsense gets past the first check. */
const fields = [
  ...["id", "name", "title", "metadata", "values", "archived", "tx", "agent", "input", "config", "threadId", "status"],
  ...["ids", "limit", "after", "before", "cursor", "order", "sortBy", "signal", "onDisconnect", "idempotencyKey"],
  ...["priority", "delay", "attemptTimeout", "deadline", "retry", "maxFailures", "maxCrashes", "jitter", "factor"],
  ...["whenBusy", "ifNotExists", "onCompletion", "wait", "grace", "note", "rollback", "options", "key", "schema"],
  ...["expiresIn", "at", "from", "keep", "maxAge", "olderThan", "timeout", "messageId", "question", "durability"],
  ...["breakpoints", "storage", "agents", "executor", "work", "limits", "retention", "lease", "heartbeat", "output"],
  ...["seed", "clock", "random", "now", "patience", "nth", "type", "rolledBack", "starts", "suspendAfter", "onSettle"],
  ...["command", "args", "cwd", "env", "protocol", "secrets", "image", "build", "mounts", "tmpfs", "labels", "engine"],
  ...[
    "network",
    "user",
    "capabilities",
    "warm",
    "reapEvery",
    "registry",
    "role",
    "wait",
    "database",
    "poll",
    "closeGrace",
  ],
  ...["entries", "final", "faults", "threads", "runs", "logs", "workers", "clients", "earlier", "pruned", "folder"],
  ...["run", "path", "connectionString", "pool", "connections", "listen", "prepare", "synchronous", "__proto__"],
];

const texts = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "",
    "\u0000",
    "\ud800",
    "x".repeat(300),
    "../..",
    "'; drop table heddle_runs; --",
    "__proto__",
    "kept",
  ),
  fc.constantFrom("reject", "enqueue", "create", "asc", "desc", "cancel", "pending", "failed", "all", "createdAt"),
);

const numbers = fc.oneof(
  fc.double(),
  fc.constantFrom(-1, 0, 0.5, 1, 50, 101, 2 ** 31, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 1e308),
);

/** Whoever waits with it gets its reason, which is the caller's own. */
export const aborted = AbortSignal.abort();

class Odd {
  readonly n = 1;
}

const strange = fc.constantFrom<() => unknown>(
  () => undefined,
  () => null,
  () => Symbol("s"),
  () => 10n,
  () => () => 1,
  () => new Odd(),
  () => new Date(Number.NaN),
  () => new Map([[1, 2]]),
  () => Promise.resolve(1),
  () => aborted,
  () => Object.create(null),
  () => new Array(3),
  () => ring(),
  () => deep(1_000),
  () => ({ toJSON: () => 10n }),
  () => ({ toString: null, valueOf: null }),
  () => new Proxy({}, {}),
);

function ring(): unknown {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  return loop;
}

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

const scalars = fc.oneof(
  texts,
  numbers,
  fc.boolean(),
  strange.map((make) => make()),
);
const options = fc.dictionary(fc.constantFrom(...fields), scalars, { maxKeys: 4, noNullPrototype: false });
const nested = fc.dictionary(fc.constantFrom(...fields), fc.oneof(scalars, options, fc.array(options)), { maxKeys: 3 });

/** Fields that a public entry may read, with anything at all in them. */
export const hostileOptions: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc.oneof(options, nested);

/** One argument. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: scalars },
  { weight: 3, arbitrary: options },
  { weight: 2, arbitrary: nested },
  {
    weight: 1,
    arbitrary: fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
      maxDepth: 3,
    }),
  },
);

export const hostileArguments: fc.Arbitrary<unknown[]> = fc.array(hostileValue, { maxLength: 4 });
