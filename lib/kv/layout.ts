/** Names of the database's directories in a home. */

/** LevelDB. */
export const DATABASE_DIR = "db";
/** The redo log. */
export const REDO_DIR = "redo";
/** Value files. */
export const VALUES_DIR = "values";
