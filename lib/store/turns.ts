/** Long work of one request in turns: others are served in between. */

import { setImmediate as nextTurn } from "node:timers/promises";

/** Milliseconds that work goes on before others get their turn. */
const SLICE = 4;

export class Turns {
  #end = performance.now() + SLICE;

  /** To be called between steps: lets others go on when this turn has lasted long enough. */
  async give(): Promise<void> {
    if (performance.now() < this.#end) return;
    await nextTurn();
    this.#end = performance.now() + SLICE;
  }
}
