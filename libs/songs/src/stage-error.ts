import { messageOf } from "@kindred/errors";

/** Where the pipeline failed: reading what it works on, at a service, or writing what it makes. */
export type Stage = "source" | "service" | "cache";

/** A failure of the pipeline, with the reason as its cause. */
export class StageError extends Error {
  override readonly name = "StageError";
  readonly stage: Stage;

  constructor(stage: Stage, cause: unknown) {
    super(messageOf(cause), { cause });
    this.stage = stage;
  }
}
