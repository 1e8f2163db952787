/**
 * Work that several ask for at once and that is done for all of them together, as a sync. Who comes while it runs waits for
 * the next run: this one may not have seen what they need.
 */
export class SharedRun {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Resolves or rejects as the first run that begins from now on. */
  ask(): Promise<void> {
    if (this.#next !== null) return this.#next;
    if (this.#running === null) return this.#start();
    this.#next = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.#start();
      });
    return this.#next;
  }

  /** Resolves or rejects as the run that began last, for those who know that it has seen what they need; else as {@link ask}. */
  join(): Promise<void> {
    return this.#running ?? this.ask();
  }

  /** Resolves when nothing runs, and nobody waits for it to. */
  async idle(): Promise<void> {
    for (let run = this.#next ?? this.#running; run !== null; run = this.#next ?? this.#running) {
      await run.catch(() => undefined);
    }
  }

  #start(): Promise<void> {
    const run = this.#work().finally(() => {
      this.#running = null;
    });
    this.#running = run;
    return run;
  }
}
