/**
 * Scratch: files that are real and no memories. Decided by a file's whole path when its first content is committed, and
 * when it is renamed; nothing is stored about it but that the file has content and no memory.
 */

import { GenerationCache } from "../../generation-cache.ts";
import type { NodeName, NodeRecord } from "../records/node-record.ts";
import { ScratchRules } from "./scratch-rules.ts";

/** Directories whose place is remembered. */
const CACHED_PLACES = 1024;

/** Where a directory is. */
interface Place {
  /** From the root, ending in a slash; empty for the root. Bytes. */
  readonly path: string;
  /** It, or a directory above it, is scratch: so is everything below. */
  readonly scratch: boolean;
}

const ROOT_PLACE: Place = Object.freeze({ path: "", scratch: false });

/** Where nodes are read from: a transaction, or what is committed. */
export interface Nodes {
  node(number: number): NodeRecord | undefined;
}

export class Scratch {
  readonly #committed: Nodes;
  readonly #patterns: () => readonly string[];
  #places = new GenerationCache<number, Place>(CACHED_PLACES);
  #compiled: readonly string[] = [];
  #rules = new ScratchRules([]);

  /** @param patterns the policy's; another array when they were changed */
  constructor(committed: Nodes, patterns: () => readonly string[]) {
    this.#committed = committed;
    this.#patterns = patterns;
  }

  /** Whether what is at the name is scratch: costs a look-up and a regular expression once the directory is known. */
  has(nodes: Nodes, { parent, name }: NodeName, isDirectory: boolean): boolean {
    this.#compile();
    const place = this.#placeOf(nodes, parent);
    return place.scratch || this.#rules.matches({ directory: place.path, name, isDirectory });
  }

  /** Whether a file at a path (absolute, bytes) is scratch. */
  hasPath(path: string): boolean {
    this.#compile();
    const segments = path.split("/").slice(1);
    let directory = "";
    for (const [index, name] of segments.entries()) {
      const isDirectory = index < segments.length - 1;
      if (this.#rules.matches({ directory, name, isDirectory })) return true;
      directory += `${name}/`;
    }
    return false;
  }

  /** The same rules, with nothing remembered of places. */
  afresh(): Scratch {
    return new Scratch(this.#committed, this.#patterns);
  }

  /** A directory was renamed. */
  forget(): void {
    this.#places = new GenerationCache(CACHED_PLACES);
  }

  #compile(): void {
    const patterns = this.#patterns();
    if (patterns === this.#compiled) return;
    this.#compiled = patterns;
    this.#rules = new ScratchRules(patterns);
    this.forget();
  }

  #placeOf(nodes: Nodes, directory: number): Place {
    const known = this.#places.get(directory);
    if (known !== undefined) return known;
    const names = nodes.node(directory)?.names;
    const at = names?.[0];
    if (at === undefined) return ROOT_PLACE;
    const above = this.#placeOf(nodes, at.parent);
    const scratch = above.scratch || this.#rules.matches({ directory: above.path, name: at.name, isDirectory: true });
    const place = { path: `${above.path}${at.name}/`, scratch };
    // What a transaction made or moved is not so before it is committed.
    if (this.#committed.node(directory)?.names === names) this.#places.set(directory, place);
    return place;
  }
}
