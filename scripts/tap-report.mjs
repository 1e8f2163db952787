// @ts-check
/**
 * Reads the TAP that `tap run` writes and says in few words what happened: a line per file, everything known about
 * a failure, and the counts. A test is a `t.test` (or a bare assertion) at the top of a test file.
 */

const POINT = /^( *)(not )?ok \d+(?: - ((?:[^#\\]|\\.|#(?! (?:SKIP|TODO|time=)))*))?(?:# (SKIP|TODO)(.*))?/;
/** Lines of a failed file that say nothing about the failure. */
const NOISE = /^\s*(?:ok \d+.*|\d+\.\.\d+.*|# Subtest.*|# time=.*|TAP version.*|\}?)$/;
/** What is worth knowing of how a test process ended. */
const ENDING = /^ {2}(?:exitCode|signal|failure|expired|timeout|reason|error):/;

export class TapReport {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** @type {string[]} what of the file at hand is worth showing if it fails */
  #lines = [];
  #before = { passed: 0, failed: 0 };
  /** Indentation of the YAML block we are in, or null. */
  #yaml = /** @type {string | null} */ (null);
  /** Whether the last file failed: its own YAML block comes after its line. */
  #fileFailed = false;
  #print;

  /** @param {(line: string) => void} print */
  constructor(print) {
    this.#print = print;
  }

  /** @param {string} line without its newline */
  line(line) {
    if (this.#yaml !== null) {
      this.#keep(line);
      if (line === `${this.#yaml}...`) this.#yaml = null;
      return;
    }
    const yaml = /^( +)---$/.exec(line);
    if (yaml) {
      this.#yaml = yaml[1] ?? "";
      this.#keep(line);
      return;
    }
    const point = POINT.exec(line);
    const indent = point?.[1]?.length;
    if (point && indent === 0) this.#file(point);
    else {
      if (point && indent === 4) this.#test(point);
      if (line.startsWith("Bail out!")) this.#print(line);
      if (!NOISE.test(line)) this.#keep(line);
    }
  }

  /** @param {string} line */
  #keep(line) {
    if (this.#yaml !== "  ") this.#lines.push(line);
    else if (this.#fileFailed && ENDING.test(line)) this.#print(line);
  }

  /** @param {RegExpExecArray} point */
  #test([, , not, name = "", directive, reason = ""]) {
    if (directive !== undefined) {
      this.skipped++;
      this.#print(`skip   ${name.trim()}:${reason}`);
    } else if (not) this.failed++;
    else this.passed++;
  }

  /** @param {RegExpExecArray} point */
  #file(point) {
    const [, , not, name = "", directive, reason = ""] = point;
    const seconds = /# time=([\d.]+)ms/.exec(point.input);
    const tests = this.passed + this.failed - this.#before.passed - this.#before.failed;
    if (directive !== undefined) {
      this.skipped++;
      this.#print(`skip   ${name.trim()}:${reason}`);
    } else if (not) {
      // A file that fails without a failed test crashed, timed out or did not load.
      if (this.failed === this.#before.failed) this.failed++;
      this.#print(`FAILED ${name.trim()}`);
      for (const kept of this.#lines) this.#print(kept);
    } else
      this.#print(
        `ok     ${name.trim()} (${tests} tests${seconds ? `, ${(Number(seconds[1]) / 1000).toFixed(1)} s` : ""})`,
      );
    this.#lines = [];
    this.#before = { passed: this.passed, failed: this.failed };
    this.#fileFailed = not !== undefined;
  }

  /** The closing line. */
  get summary() {
    return `${this.passed} passed, ${this.failed} failed${this.skipped > 0 ? `, ${this.skipped} skipped` : ""}`;
  }
}
