import fc from "fast-check";
import t, { type Test } from "tap";
import { merge } from "../../lib/text/merge.ts";
import { testSeed } from "../fixtures/random.ts";

/** `merged` is null for a conflict. */
interface Case {
  readonly name: string;
  readonly base: string;
  readonly head: string;
  readonly mine: string;
  readonly merged: string | null;
}

function merged({ base, head, mine }: Omit<Case, "name" | "merged">): string | null {
  const [b, h, m] = [base, head, mine].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
  return merge(b, h, m, { path: "settings.json" })?.toString() ?? null;
}

function check(t: Test, cases: readonly Case[]): void {
  for (const item of cases) t.equal(merged(item), item.merged, item.name);
}

const pretty = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const KEYS: readonly Case[] = [
  {
    name: "two keys changed on one line",
    base: '{"a": 1, "b": 2}',
    head: '{"a": 10, "b": 2}',
    mine: '{"a": 1, "b": 20}',
    merged: '{"a": 10, "b": 20}',
  },
  {
    name: "both add a last key: the comma is right",
    base: pretty({ a: 1 }),
    head: pretty({ a: 1, h: 1 }),
    mine: pretty({ a: 1, m: 1 }),
    merged: pretty({ a: 1, h: 1, m: 1 }),
  },
  {
    name: "deep inside, with the rest untouched",
    base: pretty({ a: { b: { c: 1, d: [1, 2] } }, z: {} }),
    head: pretty({ a: { b: { c: 2, d: [1, 2] } }, z: {} }),
    mine: pretty({ a: { b: { c: 1, d: [1, 2, 3] } }, z: {} }),
    merged: pretty({ a: { b: { c: 2, d: [1, 2, 3] } }, z: {} }),
  },
  {
    name: "the same change on both sides",
    base: pretty({ a: 1, b: 1 }),
    head: pretty({ a: 2, b: 1 }),
    mine: pretty({ a: 2, b: 2 }),
    merged: pretty({ a: 2, b: 2 }),
  },
  {
    name: "two different changes of one key",
    base: pretty({ a: 1 }),
    head: pretty({ a: 2 }),
    mine: pretty({ a: 3 }),
    merged: null,
  },
  {
    name: "a key added twice with different values",
    base: pretty({}),
    head: pretty({ a: 2 }),
    mine: pretty({ a: 3 }),
    merged: null,
  },
  {
    name: "an object added twice is merged by key",
    base: pretty({}),
    head: pretty({ a: { x: 1 } }),
    mine: pretty({ a: { y: 2 } }),
    merged: pretty({ a: { x: 1, y: 2 } }),
  },
  {
    name: "removed by one, changed by the other",
    base: pretty({ a: 1, b: 1 }),
    head: pretty({ b: 1 }),
    mine: pretty({ a: 2, b: 1 }),
    merged: null,
  },
  {
    name: "changed by one, removed by the other, deep inside",
    base: pretty({ a: { x: 1 }, b: 1 }),
    head: pretty({ a: { x: 2 }, b: 1 }),
    mine: pretty({ b: 1 }),
    merged: null,
  },
  {
    name: "removed by one, another changed by the other",
    base: pretty({ a: 1, b: 1, c: 1 }),
    head: pretty({ b: 1, c: 1 }),
    mine: pretty({ a: 1, b: 1, c: 2 }),
    merged: pretty({ b: 1, c: 2 }),
  },
  {
    name: "the last key removed by one, the first by the other",
    base: pretty({ a: 1, b: 1, c: 1 }),
    head: pretty({ a: 1, b: 1 }),
    mine: pretty({ b: 1, c: 1 }),
    merged: pretty({ b: 1 }),
  },
  {
    name: "each removes the other key",
    base: '{ "a": 1, "b": 2 }\n',
    head: '{ "a": 1 }\n',
    mine: '{ "b": 2 }\n',
    merged: "{}\n",
  },
  {
    name: "arrays are taken as a whole",
    base: pretty({ a: [1] }),
    head: pretty({ a: [1, 2] }),
    mine: pretty({ a: [1, 3] }),
    merged: null,
  },
  { name: "a text that is an array", base: "[1]", head: "[1, 2]", mine: "[1, 3]", merged: null },
  {
    name: "both make the file",
    base: "",
    head: pretty({ a: 1 }),
    mine: pretty({ b: 1 }),
    merged: pretty({ a: 1, b: 1 }),
  },
  {
    name: "an object became a value, and something in it was changed",
    base: pretty({ a: { x: 1 } }),
    head: pretty({ a: 5 }),
    mine: pretty({ a: { x: 2 } }),
    merged: null,
  },
];

const FORM: readonly Case[] = [
  {
    name: "order of keys: head's; a new one stands behind the key it follows",
    base: pretty({ a: 1, b: 1, c: 1 }),
    head: pretty({ c: 1, b: 2, a: 1 }),
    mine: pretty({ a: 1, b: 1, new: 1, c: 1 }),
    merged: pretty({ c: 1, b: 2, new: 1, a: 1 }),
  },
  {
    name: "a new first key stays the first",
    base: '{"name":"x"}',
    head: '{"name":"y"}',
    mine: '{"$schema":"s","id":1,"name":"x"}',
    merged: '{"$schema":"s","id":1,"name":"y"}',
  },
  {
    name: "what a new key follows is gone: it stands where that was",
    base: pretty({ a: 1, b: 1, c: 1 }),
    head: pretty({ a: 1, c: 1 }),
    mine: pretty({ a: 1, b: 1, new: 1, c: 1 }),
    merged: pretty({ a: 1, new: 1, c: 1 }),
  },
  {
    name: "head changed nothing but the layout",
    base: '{"a":1,"b":{"c":1}}',
    head: pretty({ b: { c: 1 }, a: 1 }),
    mine: '{"a":2,"b":{"c":1,"d":1}}',
    merged: pretty({ b: { c: 1, d: 1 }, a: 2 }),
  },
  {
    name: "keys that look like numbers keep their order",
    base: '{"b": 1, "2": 1, "1": 1}',
    head: '{"b": 2, "2": 1, "1": 1}',
    mine: '{"b": 1, "2": 1, "1": 1, "0": 1}',
    merged: '{"b": 2, "2": 1, "1": 1, "0": 1}',
  },
  {
    name: "tabs, CRLF, no final line feed: as in head",
    base: '{\r\n\t"a": 1,\r\n\t"b": 1\r\n}',
    head: '{\r\n\t"a": 2,\r\n\t"b": 1\r\n}',
    mine: '{\n  "a": 1,\n  "b": 1,\n  "c": {\n    "d": [\n      1\n    ]\n  }\n}\n',
    merged: '{\r\n\t"a": 2,\r\n\t"b": 1,\r\n\t"c": {\r\n\t\t"d": [\r\n\t\t\t1\r\n\t\t]\r\n\t}\r\n}',
  },
  {
    name: "mine wrote all in one line, head keeps its layout",
    base: pretty({ a: 1, b: { c: 1 } }),
    head: pretty({ a: 2, b: { c: 1 } }),
    mine: '{"a":1,"b":{"c":1,"d":[1,{"e":2}]}}',
    merged: pretty({ a: 2, b: { c: 1, d: [1, { e: 2 }] } }),
  },
  {
    name: "head wrote all in one line",
    base: pretty({ a: 1, b: 1 }),
    head: '{"a":2,"b":1}\n',
    mine: pretty({ a: 1, b: 1, c: { d: 1, e: [] } }),
    merged: '{"a":2,"b":1,"c":{"d":1,"e":[]}}\n',
  },
  {
    name: "values laid out by hand stay as they are",
    base: '{\n  "m": [ 1,0,\n         0,1 ],\n  "a": 1,\n  "p": {"x": 1, "y": 2}\n}\n',
    head: '{\n  "m": [ 1,0,\n         0,1 ],\n  "a": 2,\n  "p": {"x": 1, "y": 2}\n}\n',
    mine: '{\n  "m": [ 1,0,\n         0,1 ],\n  "a": 1,\n  "p": {"x": 1, "y": 3, "z": 4}\n}\n',
    merged: '{\n  "m": [ 1,0,\n         0,1 ],\n  "a": 2,\n  "p": {"x": 1, "y": 3, "z": 4}\n}\n',
  },
  {
    name: "nothing but the layout was changed by mine",
    base: pretty({ a: 1 }),
    head: pretty({ a: 2 }),
    mine: '{"a":1}',
    merged: pretty({ a: 2 }),
  },
  {
    name: "white space in an empty object stays",
    base: '{ "a": {  }, "b": 1 }',
    head: '{ "a": { }, "b": 2 }',
    mine: '{ "a": {}, "b": 1, "c": 1 }',
    merged: '{ "a": { }, "b": 2, "c": 1 }',
  },
  {
    name: "head emptied it, mine added to it",
    base: pretty({ a: 1 }),
    head: "{}\n",
    mine: pretty({ a: 1, b: 1 }),
    merged: pretty({ b: 1 }),
  },
];

const ODD: readonly Case[] = [
  {
    name: "the key __proto__ is one like any other",
    base: '{"__proto__": {"a": 1}, "b": 1}',
    head: '{"__proto__": {"a": 2}, "b": 1}',
    mine: '{"__proto__": {"a": 1, "constructor": 3}, "b": 1}',
    merged: '{"__proto__": {"a": 2, "constructor": 3}, "b": 1}',
  },
  {
    name: "no number loses a digit",
    base: '{"a": 12345678901234567890, "b": 1}',
    head: '{"a": 12345678901234567890, "b": 1.0}',
    mine: '{"a": 12345678901234567891, "b": 1}',
    merged: '{"a": 12345678901234567891, "b": 1.0}',
  },
  {
    name: "an escape is the character it stands for",
    base: '{"caf\\u00e9": "\\u00e9", "b": 1}',
    head: '{"café": "é", "b": 1}',
    mine: '{"caf\\u00e9": "\\u00e9", "b": "a\\\\\\" }"}',
    merged: '{"café": "é", "b": "a\\\\\\" }"}',
  },
  {
    name: "a key that is there twice: as text",
    base: '{\n"a": 1,\n"a": 2,\n"b": 3\n}\n',
    head: '{\n"a": 9,\n"a": 2,\n"b": 3\n}\n',
    mine: '{\n"a": 1,\n"a": 2,\n"b": 4\n}\n',
    merged: '{\n"a": 9,\n"a": 2,\n"b": 4\n}\n',
  },
  {
    name: "a base that is no JSON, and lines that would leave out a comma",
    base: "",
    head: "[1]\n",
    mine: "[2]\n",
    merged: null,
  },
  {
    name: "a base that is no JSON, and lines that would have a key twice",
    base: '{\n"b": 1,,\n}\n',
    head: '{\n"a": 1,\n"b": 1\n}\n',
    mine: '{\n"b": 1,\n"a": 2\n}\n',
    merged: null,
  },
  {
    name: "one side is no JSON yet: as text",
    base: '{\n"a": 1,\n"b": 1\n}\n',
    head: '{\n"a": 2,\n"b": 1\n}\n',
    mine: '{\n"a": 1,\n"b": \n}\n',
    merged: '{\n"a": 2,\n"b": \n}\n',
  },
];

t.test("JSON is merged by key", async (t) => {
  check(t, KEYS);
});

t.test("the merged text looks as head does", async (t) => {
  check(t, FORM);
});

t.test("odd keys, numbers and texts that are no JSON", async (t) => {
  check(t, ODD);
});

t.test("nesting without end is text", async (t) => {
  const nested = (depth: number, value: string): string => `${'{"a":\n'.repeat(depth)}${value}${"}".repeat(depth)}`;
  const deep = (first: number, last: number): string =>
    `{"first": ${first},\n"deep": ${nested(100_000, "1")},\n"last": ${last}}`;
  t.equal(merged({ base: deep(1, 1), head: deep(2, 1), mine: deep(1, 2) }), deep(2, 2), "merged by lines");
  const one = (first: number, last: number): string =>
    `{"first": ${first}, "deep": ${nested(199, "1")}, "last": ${last}}`;
  t.equal(merged({ base: one(1, 1), head: one(2, 1), mine: one(1, 2) }), one(2, 2), "merged by key");
});

type Value = null | boolean | number | string | Value[] | Model;
interface Model {
  [key: string]: Value;
}

const scalar = fc.constantFrom(null, true, 1, 2.5, -3e30, "", 'x\n"\\', [], [1, { a: 1 }]);

/** Objects of few keys and values, so that both sides meet. */
function objects(...keys: string[]): fc.Arbitrary<Model> {
  return fc.letrec<{ object: Model; value: Value }>((tie) => ({
    object: fc.dictionary(fc.constantFrom(...keys), tie("value"), { maxKeys: 4 }),
    value: fc.oneof({ depthSize: "small" }, scalar, tie("object")),
  })).object;
}

const isModel = (value: Value | undefined): value is Model =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const sorted = (value: Value): Value =>
  Array.isArray(value)
    ? value.map(sorted)
    : isModel(value)
      ? Object.fromEntries(
          Object.keys(value)
            .sort()
            .map((name) => [name, sorted(value[name] ?? null)]),
        )
      : value;
const text = (value: Value | undefined): string => (value === undefined ? "" : JSON.stringify(sorted(value)));

class Conflict extends Error {}

/** What the merge of values is to mean; undefined for a key that is not there. */
function model(base: Value | undefined, head: Value | undefined, mine: Value | undefined): Value | undefined {
  if (text(head) === text(mine) || text(base) === text(mine)) return head;
  if (text(base) === text(head)) return mine;
  if (!isModel(head) || !isModel(mine) || (base !== undefined && !isModel(base))) throw new Conflict();
  const keys = new Set([...Object.keys(head), ...Object.keys(mine)]);
  const entries = [...keys].map((name) => [name, model(base?.[name], head[name], mine[name])] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, Value] => entry[1] !== undefined));
}

function modelText(base: Model, head: Model, mine: Model): string | null {
  try {
    return text(model(base, head, mine));
  } catch (error) {
    if (error instanceof Conflict) return null;
    throw error;
  }
}

t.test("by key as a simple model says, whatever the layout", async (t) => {
  const indentation = fc.constantFrom(0, 2, 4, "\t");
  const object = objects("a", "b", "c", "1", "0", "é");
  let conflicts = 0;
  let clean = 0;
  fc.assert(
    fc.property(
      fc.tuple(object, object, object),
      fc.tuple(indentation, indentation, indentation),
      (values, indents) => {
        const [base, head, mine] = values.map((value, at) => JSON.stringify(value, null, indents[at])) as [
          string,
          string,
          string,
        ];
        const result = merged({ base, head, mine });
        const expected = modelText(...values);
        if (expected === null) conflicts++;
        else clean++;
        t.equal(result === null ? null : text(JSON.parse(result) as Value), expected);
      },
    ),
    { seed: testSeed(t), numRuns: 1000 },
  );
  t.ok(conflicts > 50 && clean > 50, `both happen: ${conflicts} conflicts, ${clean} clean`);
});

t.test("a merge of texts in one layout has that layout", async (t) => {
  const indentation = fc.constantFrom(0, 2, "\t");
  // No keys that look like numbers: JSON.stringify puts them first.
  const object = objects("a", "b", "c", "é");
  fc.assert(
    fc.property(object, object, object, indentation, (base, head, mine, indent) => {
      const write = (value: Value): string => JSON.stringify(value, null, indent);
      const result = merged({ base: write(base), head: write(head), mine: write(mine) });
      if (result !== null) t.equal(result, write(JSON.parse(result) as Value));
    }),
    { seed: testSeed(t), numRuns: 500 },
  );
});
