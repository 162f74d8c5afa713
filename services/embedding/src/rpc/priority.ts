import { Priority as PriorityMessage } from "@kindred/contracts/embedding/v1";
import { invalidField } from "@kindred/errors";
import type { Priority } from "../domain/embedder.ts";

/**
 * @param unspecified what PRIORITY_UNSPECIFIED stands for.
 * @throws KindredError invalid-argument naming `field`.
 */
export function priorityOf(message: PriorityMessage, field: string, unspecified: Priority): Priority {
  switch (message) {
    case PriorityMessage.UNSPECIFIED:
      return unspecified;
    case PriorityMessage.INTERACTIVE:
      return "interactive";
    case PriorityMessage.BULK:
      return "bulk";
    default:
      throw invalidField(
        field,
        `must be PRIORITY_INTERACTIVE (1) or PRIORITY_BULK (2), is ${String(message)}`,
      );
  }
}
