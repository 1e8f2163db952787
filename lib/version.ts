/** The version of this build; `package.json` says the same (tested). CLI and daemon compare theirs on every request. */
export const VERSION = "0.1.0";
