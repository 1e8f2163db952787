/** What a command file provides, and what all commands have in common. */

import type { Command } from "commander";
import type { Context } from "./context.ts";

/** Adds a command, or a group of them, to the program. */
export type Register = (program: Command, context: Context) => void;

/** Gives a command `--json` and an example in its `--help`. */
export function common(command: Command, example: string): Command {
  return command
    .option("--json", "machine-readable output")
    .addHelpText("after", `\nExample${example.includes("\n") ? "s" : ""}:\n${example.replaceAll(/^/gm, "  $ ")}`);
}
