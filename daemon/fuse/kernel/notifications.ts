/** The bytes of the notifications this driver sends. */

import type { NodeRef } from "../../../lib/vfs/filesystem.ts";
import { Notification, OUT_HEADER_SIZE } from "./abi.ts";
import { put64, putNode } from "./encode.ts";

/** `struct fuse_out_header` and `struct fuse_notify_inval_inode_out`. */
const INVAL_INODE_SIZE = OUT_HEADER_SIZE + 24;

/** Which part of a node INVAL_INODE drops: with offset −1 the attributes only, with 0 all pages too. */
const ATTRIBUTES_ONLY = -1;
const ALL_PAGES = 0;

/** A notification has `unique` 0 and its code where an answer has its errno. */
class Message {
  readonly bytes: Buffer;
  readonly words: Uint32Array;

  constructor(size: number, code: number) {
    const memory = new ArrayBuffer(size);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
    this.words[0] = size;
    this.words[1] = code;
  }
}

function invalidateInode(offset: number): Message {
  const message = new Message(INVAL_INODE_SIZE, Notification.INVAL_INODE);
  put64(message.words, 6, offset);
  return message;
}

const attributesMessage = invalidateInode(ATTRIBUTES_ONLY);
const epochMessage = new Message(OUT_HEADER_SIZE, Notification.INC_EPOCH);

/** Drops the attributes of a node. The bytes are used again by the next call. */
export function invalidateAttributes(node: NodeRef): Buffer {
  putNode(attributesMessage.words, 4, node);
  return attributesMessage.bytes;
}

/** Makes all names of the mount doubtful. */
export function incrementEpoch(): Buffer {
  return epochMessage.bytes;
}

/** Drops the attributes and all pages of a node; bytes of its own, for the thread pool. */
export function invalidatePages(node: NodeRef): Buffer {
  const message = invalidateInode(ALL_PAGES);
  putNode(message.words, 4, node);
  return message.bytes;
}
