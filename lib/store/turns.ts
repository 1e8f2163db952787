/** Long work of one request in turns: others are served in between. */

import { setImmediate as nextTurn } from "node:timers/promises";

/** Milliseconds that work goes on before others get their turn. */
const SLICE = 4;

/** Work that yields wherever others may have their turn. */
export type Steps<T> = Generator<unknown, T>;

export class Turns {
  #end = performance.now() + SLICE;

  /**
   * Runs steps with turns of others in between, each of which may make them worthless: then null. `patient: false`: in one
   * turn.
   */
  async run<T>(
    steps: Steps<T>,
    { holds, patient }: { readonly holds: () => boolean; readonly patient: boolean },
  ): Promise<T | null> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (!patient || performance.now() < this.#end) continue;
      await this.give();
      if (holds()) continue;
      steps.return(undefined as never);
      return null;
    }
  }

  /** To be called between steps: lets others go on when this turn has lasted long enough. */
  async give(): Promise<void> {
    if (performance.now() < this.#end) return;
    await nextTurn();
    this.#end = performance.now() + SLICE;
  }
}
