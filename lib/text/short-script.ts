/**
 * What two sequences have in common, found fast when they differ little (E. Myers, "An O(ND) Difference Algorithm and Its
 * Variations", 1986): the time grows with the number of differences, and not with how often an element occurs.
 */

/** Element `at` of a is element `newAt` of b. */
export interface Match {
  readonly at: number;
  readonly newAt: number;
}

/**
 * A longest common subsequence in ascending order, or null when more than `most` elements would have to be removed and
 * inserted. Takes memory for `most`² numbers at most.
 */
export function matchShort(a: readonly string[], b: readonly string[], most: number): Match[] | null {
  if (Math.abs(a.length - b.length) > most) return null;
  // By diagonal (place in a minus place in b): how far in a one gets with so many differences.
  const center = most + 1;
  const reach = new Int32Array(2 * center + 1);
  const history: Int32Array[] = [];
  for (let differences = 0; differences <= most; differences++) {
    const before = reach.slice(center - differences - 1, center + differences + 2);
    history.push(before);
    for (let diagonal = -differences; diagonal <= differences; diagonal += 2) {
      let { at } = step(before, differences, diagonal);
      let newAt = at - diagonal;
      while (at < a.length && newAt < b.length && a[at] === b[newAt]) {
        at++;
        newAt++;
      }
      reach[center + diagonal] = at;
      if (at >= a.length && newAt >= b.length) return walkBack(history, { at, newAt });
    }
  }
  return null;
}

/** Where in a the last difference leads to: from a neighbouring diagonal, whichever gets further. */
interface Step {
  readonly at: number;
  /** An element of b was inserted; else one of a was removed. */
  readonly inserts: boolean;
}

/** `before`: what was reached with one difference less, by diagonal from −`differences` − 1 on. */
function step(before: Int32Array, differences: number, diagonal: number): Step {
  if (differences === 0) return { at: 0, inserts: false };
  const index = diagonal + differences + 1;
  const inserted = before[index + 1] ?? 0;
  const removed = (before[index - 1] ?? 0) + 1;
  const inserts = diagonal === -differences || (diagonal !== differences && inserted >= removed);
  return { at: inserts ? inserted : removed, inserts };
}

/** What was equal on the way, found from its end. */
function walkBack(history: readonly Int32Array[], end: Match): Match[] {
  const matches: Match[] = [];
  let { at, newAt } = end;
  for (let differences = history.length - 1; differences >= 0; differences--) {
    const last = step(history[differences] as Int32Array, differences, at - newAt);
    while (at > last.at) matches.push({ at: --at, newAt: --newAt });
    if (last.inserts) newAt--;
    else at--;
  }
  return matches.reverse();
}
