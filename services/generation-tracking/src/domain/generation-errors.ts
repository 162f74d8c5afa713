import { KindredError } from "@kindred/errors";
import type { Generation } from "./generation.ts";

export function noGeneration(id: bigint): KindredError {
  return new KindredError("not-found", `there is no generation with id ${id}`);
}

/** What callers are told who want something of a generation that has ended. */
export function notRunning({ id, status, errorMessage }: Generation): KindredError {
  const how = {
    completed: "it is completed",
    failed: `it has failed: ${errorMessage}`,
    cancelled: "it was cancelled",
    running: "it runs",
  }[status];
  return new KindredError("failed-precondition", `generation ${id} does not run any more: ${how}`, {
    metadata: { generation_id: String(id), status },
  });
}
