/** Settings of the daemon: defaults < `config.json` in the home < environment < flags. */

import { readFileSync } from "node:fs";
import { MemfsError } from "./errors.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Frozen once read. */
export interface Config {
  readonly logLevel: LogLevel;
  /** The log is rotated when it would grow over this many bytes. */
  readonly logMaxBytes: number;
}

const DEFAULTS: Config = Object.freeze({ logLevel: "info", logMaxBytes: 5 * 1024 * 1024 });

/** Key in the file → how it is read; `MEMFS_` + the key in capitals is its name in the environment. */
const SETTINGS = {
  log_level: (value: unknown): Partial<Config> | string => {
    const level = LOG_LEVELS.find((known) => known === value);
    return level === undefined ? `must be one of ${LOG_LEVELS.join(", ")}` : { logLevel: level };
  },
  log_max_bytes: (value: unknown): Partial<Config> | string => {
    const bytes = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    const good = typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 4096;
    return good ? { logMaxBytes: bytes } : "must be a whole number of bytes, at least 4096";
  },
} as const;

type Key = keyof typeof SETTINGS;

/** What to read settings from. */
export interface ConfigSources {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Keys as in the file. */
  readonly flags: Readonly<Record<string, string | undefined>>;
}

/** @throws MemfsError `bad_config` naming every problem at once. */
export function readConfig(sources: ConfigSources): Config {
  const problems: string[] = [];
  let config = DEFAULTS;
  const apply = (key: Key, value: unknown, where: string): void => {
    const read = SETTINGS[key](value);
    if (typeof read === "string") problems.push(`${where} ${read}`);
    else config = { ...config, ...read };
  };

  for (const [key, value] of Object.entries(readSettings(sources.file, problems))) {
    if (Object.hasOwn(SETTINGS, key)) apply(key as Key, value, `"${key}" in ${sources.file}`);
    else problems.push(`"${key}" in ${sources.file} is not a setting`);
  }
  for (const key of Object.keys(SETTINGS) as Key[]) {
    const variable = `MEMFS_${key.toUpperCase()}`;
    if (sources.env[variable] !== undefined) apply(key, sources.env[variable], variable);
    if (sources.flags[key] !== undefined) apply(key, sources.flags[key], `--${key.replaceAll("_", "-")}`);
  }
  if (problems.length > 0) throw new MemfsError("bad_config", `${problems.join("; ")}; correct it and start again`);
  return Object.freeze(config);
}

function readSettings(file: string, problems: string[]): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") problems.push(`${file} cannot be read`);
    return {};
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, without the parser's words: they may quote the file.
  }
  problems.push(`${file} is not a JSON object`);
  return {};
}
