/**
 * A flight: several statements, one round trip.
 *
 * The statements go to the server in one go and are answered in one go: parse, bind and execute messages one behind the
 * other, and a single sync at the end. The server runs them in order; where one fails it skips the rest up to the sync.
 * So a flight may begin a transaction, lock, and read what the locks protect, without waiting for an answer in between.
 *
 * node-postgres sends one query per sync, and its pipelining mode is a property of the whole pool, which a host that
 * uses cursors cannot switch on. Its documented way in for others is an object with a `submit` method, as pg-cursor is
 * one: that works with every pool, and answers of one flight come in one packet.
 *
 * Numbers are read here and not by pg's type parsers, which belong to the whole process: a host may have changed them.
 */

import type { Bound, Field, Row, Statement } from "./statement.js";

export interface Answer {
  /** `UPDATE 3`, `COMMIT`, … */
  readonly command: string;
  readonly rows: readonly Row[];
}

/** What we use of pg's connection: the wire's messages. */
export interface Wire {
  readonly stream: { cork?(): void; uncork?(): void };
  parse(message: { readonly text: string; readonly name: string }): void;
  bind(message: { readonly statement: string; readonly values: readonly (string | null)[] }): void;
  describe(message: { readonly type: "P" | "S"; readonly name: string }): void;
  execute(message: object): void;
  close(message: { readonly type: "P" | "S"; readonly name: string }): void;
  sync(): void;
  on(event: "bindComplete", listener: () => void): unknown;
}

/** What is known of a connection. */
interface Known {
  /** Names of the statements that it has prepared. */
  readonly prepared: Set<string>;
  /** How many parameters it has bound. */
  bound: number;
}

const knowledge = new WeakMap<Wire, Known>();

const numberTypes = new Set([20, 21, 23, 26, 700, 701, 1700]);

export class Flight {
  readonly #statements: readonly Bound[];
  readonly #resolve: (answers: readonly Answer[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #answers: Answer[] = [];
  #known: Known | undefined;
  /** How many times the connection had bound parameters before. */
  #boundBefore = 0;
  #rows: Row[] = [];
  /** Called at the end: where queries may time out pg puts a function here that stops its timer, a minute long. */
  callback = (): void => {};

  constructor(
    statements: readonly Bound[],
    resolve: (answers: readonly Answer[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.#statements = statements;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(wire: Wire): void {
    const known = knownOf(wire);
    this.#known = known;
    this.#boundBefore = known.bound;
    wire.stream.cork?.();
    try {
      const names = new Set(known.prepared);
      for (const bound of this.#statements) send(wire, bound, names);
      wire.sync();
    } finally {
      wire.stream.uncork?.();
    }
  }

  handleRowDescription({
    fields,
  }: {
    readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  }): void {
    const described = fields.map(({ name, dataTypeID }) => ({ name, isNumber: numberTypes.has(dataTypeID) }));
    const statement = this.#current();
    if (statement !== undefined) statement.fields = described;
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    this.#rows.push(rowOf(this.#current()?.fields ?? [], fields));
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const statement = this.#current();
    // An answer without rows is not described.
    if (statement !== undefined) statement.fields ??= [];
    if (statement?.name !== undefined) this.#known?.prepared.add(statement.name);
    this.#answers.push({ command: text, rows: this.#rows });
    this.#rows = [];
  }

  /**
   * Answers that do not fit are somebody else's: poolers have been seen to mix them up. Each statement of a flight has
   * one, and binds its parameters; what a pooler asks for itself does not.
   */
  handleReadyForQuery(): void {
    this.callback();
    const [asked, answered] = [this.#statements.length, this.#answers.length];
    const bound = (this.#known?.bound ?? 0) - this.#boundBefore;
    if (asked === answered && asked === bound) return this.#resolve(this.#answers);
    const found = `${asked} statements with ${answered} answers, of which ${bound} are its own`;
    this.#reject(new Error(`The connection answered ${found}.`));
  }

  /** The server's error, or the connection's end. The rest of the flight was skipped. */
  handleError(error: unknown): void {
    const name = this.#current()?.name;
    if (name !== undefined) this.#known?.prepared.delete(name);
    this.callback();
    this.#reject(error);
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: "" });
  }

  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}

  /** Whose answer comes next. */
  #current(): Statement | undefined {
    return this.#statements[this.#answers.length]?.statement;
  }
}

function knownOf(wire: Wire): Known {
  const before = knowledge.get(wire);
  if (before !== undefined) return before;
  const known = { prepared: new Set<string>(), bound: 0 };
  knowledge.set(wire, known);
  wire.on("bindComplete", () => void known.bound++);
  return known;
}

/** @param names what is prepared once the messages before this one are through */
function send(wire: Wire, { statement, values }: Bound, names: Set<string>): void {
  const { name = "", text, fields } = statement;
  if (!names.has(name)) {
    // Whether the server has it is not known after an error: closing what is not there is fine.
    if (name !== "") wire.close({ type: "S", name });
    wire.parse({ text, name });
    if (name !== "") names.add(name);
  }
  wire.bind({ statement: name, values });
  if (fields === undefined) wire.describe({ type: "P", name: "" });
  wire.execute({});
}

function rowOf(fields: readonly Field[], values: readonly (string | null)[]): Row {
  const row: Row = {};
  for (let at = 0; at < fields.length; at++) {
    const { name, isNumber } = fields[at] as Field;
    const value = values[at] ?? null;
    row[name] = isNumber && value !== null ? Number(value) : value;
  }
  return row;
}
