/** Schemas that several routes share. */

import { Type } from "typebox";

/** An id is what the published API has here; names and slugs are found too. */
export const storeParams = Type.Object({ store: Type.String({ minLength: 1, maxLength: 1024 }) });

/** A version as people name it: an id, a number, a time. JSON may have the number as one. */
export const versionName = Type.Union([Type.String({ minLength: 1, maxLength: 255 }), Type.Integer()]);
