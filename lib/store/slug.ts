/** Directory names of stores in a mount of several. */

/** Lower case, runs of anything else become one `-`; a taken slug gets `-2`, `-3`, … */
export function slugFor(name: string, taken: ReadonlySet<string>): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const base = plain === "" ? "store" : plain.slice(0, 200);
  for (let count = 1; ; count++) {
    const slug = count === 1 ? base : `${base}-${count}`;
    if (!taken.has(slug)) return slug;
  }
}
