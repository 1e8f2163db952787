/** Working on with a result that is there at once, or later. */

import type { Answer } from "../../../lib/vfs/filesystem.ts";

/** `work` on the value, at once when it is there. */
export function after<T, R>(answer: Answer<T>, work: (value: T) => Answer<R>): Answer<R> {
  return answer instanceof Promise ? answer.then(work) : work(answer);
}

/** `clear` when the answer is there, whether it is a value or a refusal. */
export function eventually<T>(start: () => Answer<T>, clear: () => void): Answer<T> {
  let answer: Answer<T>;
  try {
    answer = start();
  } catch (error) {
    clear();
    throw error;
  }
  if (answer instanceof Promise) return answer.finally(clear);
  clear();
  return answer;
}

/** `undo` when the answer is a refusal. */
export function unlessDone<T>(start: () => Answer<T>, undo: () => void): Answer<T> {
  let answer: Answer<T>;
  try {
    answer = start();
  } catch (error) {
    undo();
    throw error;
  }
  if (!(answer instanceof Promise)) return answer;
  return answer.catch((error: unknown) => {
    undo();
    throw error;
  });
}
