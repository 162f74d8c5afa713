import type { FieldChecks } from "@kindred/rpc";
import type { JsonObject } from "../domain/image.ts";
import { metadataProblem } from "../domain/text-problem.ts";

/** Of the id of an embedding space. */
export const MAX_SPACE_ID_CHARACTERS = 1000;

/** As FieldChecks.text; and no half of a surrogate pair, which JSON can carry and no database can keep. */
export function checkText(
  checks: FieldChecks,
  field: string,
  value: string,
  limits?: { required?: boolean; maxCharacters?: number },
): void {
  checks.text(field, value, limits);
  if (!value.isWellFormed()) checks.add(field, "must be well-formed Unicode");
}

export function checkMetadata(checks: FieldChecks, field: string, metadata: JsonObject): void {
  const problem = metadataProblem(metadata);
  if (problem !== undefined) checks.add(field, problem);
}
