#!/usr/bin/env node
/** The `memfs` command. */

import { VERSION } from "../lib/version.ts";

// A reader that has seen enough (`memfs log | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const [first, ...others] = process.argv.slice(2);
if ((first === "--version" || first === "-V") && others.length === 0) {
  // Before anything is loaded: editors and scripts ask often.
  process.stdout.write(`${VERSION}\n`);
} else {
  const { run } = await import("./program.ts");
  process.exitCode = await run(process.argv.slice(2), process.env);
}
