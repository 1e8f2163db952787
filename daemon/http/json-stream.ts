/** Long answers: made while they are sent, and never in memory as a whole. */

import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { Turns } from "../../lib/store/turns.ts";

/** Characters that go out together. */
const PIECE = 64 * 1024;

/** One JSON object whose last key is an array. */
export interface LongAnswer {
  readonly head: Readonly<Record<string, unknown>>;
  readonly key: string;
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
}

/** Answers with an object. What fails while its items are made breaks the connection off: check before what can be. */
export function sendLong(reply: FastifyReply, answer: LongAnswer): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(Readable.from(piecesOf(answer)));
}

async function* piecesOf({ head, key, items }: LongAnswer): AsyncGenerator<string> {
  const turns = new Turns();
  let piece = `${JSON.stringify(head).slice(0, -1)},${JSON.stringify(key)}:[`;
  let separator = "";
  for await (const item of items) {
    piece += separator + JSON.stringify(item);
    separator = ",";
    await turns.give();
    if (piece.length < PIECE) continue;
    yield piece;
    piece = "";
  }
  yield `${piece}]}`;
}
