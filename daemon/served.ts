/** Whether some daemon of a home accepts connections. */

import { connect } from "node:net";
import { findSocket, type Home } from "../lib/home.ts";

/** True when the home's socket can be connected to. Never rejects. */
export function isServed(home: Home): Promise<boolean> {
  const path = findSocket(home);
  if (path === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
