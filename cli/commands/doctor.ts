/** `memfs doctor`: whether this host lets memfs work, and what to do where it does not. */

import type { Command } from "commander";
import { common } from "../command.ts";
import type { Context } from "../context.ts";
import { type Finding, examineHost } from "../host.ts";
import { json, paint, printable, table } from "../output.ts";

export function register(program: Command, context: Context): void {
  const command = program.command("doctor").description("look for what keeps memfs from working on this host");
  common(command, "memfs doctor").action((flags: { json?: boolean }) => doctor(context, flags));
}

async function doctor(context: Context, flags: { readonly json?: boolean }): Promise<void> {
  const checks = await examineHost(context);
  const ok = checks.every(({ status }) => status !== "problem");
  if (flags.json === true) json({ type: "doctor", ok, checks });
  else table(checks.map((finding) => [mark(finding), finding.check, printable(sentence(finding))]));
  process.exitCode = ok ? 0 : 1;
}

function sentence({ message, advice }: Finding): string {
  return advice === null ? message : `${message}; ${advice}`;
}

function mark({ status }: Finding): string {
  switch (status) {
    case "ok":
      return paint("green", "ok");
    case "warning":
      return paint("yellow", "warning");
    case "problem":
      return paint("red", "problem");
  }
}
