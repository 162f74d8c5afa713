import { KindredError } from "@kindred/errors";

/** What depends on the images' table as such would go with it. */
export function obstacleError(obstacles: readonly string[]): KindredError {
  return new KindredError(
    "failed-precondition",
    `the table embeddings would be replaced, and with it would go ${obstacles.join(", ")}: drop what is named here, ` +
      "and create it again when the collection has been moved",
  );
}
