/** The undo log of an open transaction: while one is open, each change leaves behind how to take it back. */
export class Journal {
  #undo: (() => void)[] | undefined;

  begin(): void {
    this.#undo = [];
  }

  /** How to take back the change that was just made. */
  note(undo: () => void): void {
    this.#undo?.push(undo);
  }

  keep(): void {
    this.#undo = undefined;
  }

  rollback(): void {
    const undo = this.#undo ?? [];
    this.#undo = undefined;
    for (const step of undo.reverse()) step();
  }
}
