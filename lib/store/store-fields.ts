/** What a store's name, description and metadata may be: the limits of the hosted API. */

import { MemfsError } from "../errors.ts";

const NAME_CHARACTERS = 255;
const DESCRIPTION_CHARACTERS = 1024;
const METADATA_PAIRS = 16;
const METADATA_KEY_CHARACTERS = 64;
const METADATA_VALUE_CHARACTERS = 512;

function refuse(message: string): never {
  throw new MemfsError("invalid_argument", message);
}

/** @throws MemfsError `invalid_argument` */
export function checkStoreName(name: string): void {
  if (name === "" || name.length > NAME_CHARACTERS)
    refuse(`a store's name must have 1 to ${NAME_CHARACTERS} characters; choose another`);
  if (/\p{Cc}/u.test(name)) refuse("a store's name has no control characters");
}

/** @throws MemfsError `invalid_argument` */
export function checkDescription(description: string): void {
  if (description.length > DESCRIPTION_CHARACTERS)
    refuse(`a description has at most ${DESCRIPTION_CHARACTERS} characters`);
}

/** @throws MemfsError `invalid_argument` */
export function checkMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const pairs = Object.entries(metadata);
  if (pairs.length > METADATA_PAIRS) refuse(`metadata has at most ${METADATA_PAIRS} pairs`);
  for (const [key, value] of pairs) {
    if (key.length > METADATA_KEY_CHARACTERS)
      refuse(`a metadata key has at most ${METADATA_KEY_CHARACTERS} characters`);
    if (value.length > METADATA_VALUE_CHARACTERS)
      refuse(`a metadata value has at most ${METADATA_VALUE_CHARACTERS} characters`);
  }
  return metadata;
}
