/** Who is at the other end of the unix socket: checked when it connects, the actor of what it does. */

import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { FastifyRequest } from "fastify";
import type { Actor, Evidence } from "../../lib/store/types.ts";
import { type Peer, peerOf } from "../libc.ts";
import { programOf } from "../users.ts";

const peers = new WeakMap<Socket, Peer>();

/** The daemon itself, for requests that came over no socket (tests inject them). */
const SELF: Peer = Object.freeze({ pid: process.pid, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

/** Drops connections of everybody but the daemon's own user and root, whatever the mode of the socket says. */
export function admitPeers(server: Server): void {
  server.on("connection", (socket: Socket) => {
    const peer = identify(socket);
    if (peer === null || (peer.uid !== SELF.uid && peer.uid !== 0)) socket.destroy();
    else peers.set(socket, peer);
  });
}

function identify(socket: Socket): Peer | null {
  // Node shows the descriptor of a unix socket nowhere else; it has been there since 0.x.
  const { _handle: handle } = socket as Socket & { _handle?: { fd?: number } };
  try {
    return handle?.fd === undefined ? null : peerOf(handle.fd);
  } catch {
    return null;
  }
}

/** The process behind a request. */
function peer(request: FastifyRequest): Peer {
  return peers.get(request.raw.socket) ?? SELF;
}

/** Whom the journal names for what the request changes: a person of this machine, by user id. */
export function actorOf(request: FastifyRequest): Actor {
  return { type: "user", userId: `uid:${peer(request).uid}` };
}

/** The kernel's evidence of the process behind a request. */
export async function evidenceOf(request: FastifyRequest): Promise<Evidence> {
  const { uid, pid } = peer(request);
  return { uid, pid, program: await programOf(pid) };
}
