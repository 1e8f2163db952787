/** Where a part reports what an operator should know. Never contents, names of files only where an error needs them. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

const nothing = (): void => undefined;

/** A logger that drops everything. */
export const silentLog: Logger = Object.freeze({ debug: nothing, info: nothing, warn: nothing, error: nothing });
