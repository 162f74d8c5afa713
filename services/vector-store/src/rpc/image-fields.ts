import type {
  ImageFields as ImageFieldsMessage,
  UpdateImageRequest,
} from "@kindred/contracts/vector-store/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { ImageChanges, ImageFields } from "../domain/image.ts";
import { checkText } from "./text-checks.ts";

export const MAX_PATH_CHARACTERS = 500;
const MAX_FORMAT_CHARACTERS = 10;
export const MAX_DATASET_CHARACTERS = 100;
const MAX_TAGS = 100;
/** A tag is a key of an index, which has to fit into a third of a page. */
const MAX_TAG_CHARACTERS = 200;

/** @returns undefined, with a violation, when there is no message. */
export function readImageFields(
  message: ImageFieldsMessage | undefined,
  path: string,
  checks: FieldChecks,
): ImageFields | undefined {
  if (!message) {
    checks.add(path, "is required");
    return undefined;
  }
  checkText(checks, `${path}.image_path`, message.imagePath, {
    required: true,
    maxCharacters: MAX_PATH_CHARACTERS,
  });
  checkChanges(message, `${path}.`, checks);
  const { imagePath, description, tags, width, height, fileSizeBytes, format, sourceDataset } = message;
  return { imagePath, description, tags, width, height, fileSizeBytes, format, sourceDataset };
}

/** Only what is set. */
export function readImageChanges(request: UpdateImageRequest, checks: FieldChecks): ImageChanges {
  const { description, width, height, fileSizeBytes, format, sourceDataset } = request;
  const tags = request.tags?.values;
  checkChanges({ ...request, tags }, "", checks, "tags.values");
  return {
    ...(description !== undefined && { description }),
    ...(tags && { tags }),
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    ...(fileSizeBytes !== undefined && { fileSizeBytes }),
    ...(format !== undefined && { format }),
    ...(sourceDataset !== undefined && { sourceDataset }),
  };
}

interface Changes {
  description?: string | undefined;
  tags?: readonly string[] | undefined;
  width?: number | undefined;
  height?: number | undefined;
  fileSizeBytes?: bigint | undefined;
  format?: string | undefined;
  sourceDataset?: string | undefined;
}

function checkChanges(changes: Changes, prefix: string, checks: FieldChecks, tagsField = "tags"): void {
  checkText(checks, `${prefix}description`, changes.description ?? "");
  if (changes.tags) checkTags(changes.tags, `${prefix}${tagsField}`, checks);
  for (const name of ["width", "height"] as const) {
    const value = changes[name];
    if (value !== undefined && value <= 0) checks.add(`${prefix}${name}`, `must be positive, is ${value}`);
  }
  if (changes.fileSizeBytes !== undefined && changes.fileSizeBytes < 0n) {
    checks.add(`${prefix}file_size_bytes`, `must not be negative, is ${changes.fileSizeBytes}`);
  }
  checkText(checks, `${prefix}format`, changes.format ?? "", { maxCharacters: MAX_FORMAT_CHARACTERS });
  checkText(checks, `${prefix}source_dataset`, changes.sourceDataset ?? "", {
    maxCharacters: MAX_DATASET_CHARACTERS,
  });
}

export function checkTags(tags: readonly string[], field: string, checks: FieldChecks): void {
  if (tags.length > MAX_TAGS) checks.add(field, `must be at most ${MAX_TAGS}, are ${tags.length}`);
  for (const [i, tag] of tags.entries()) {
    checkText(checks, `${field}[${i}]`, tag, { required: true, maxCharacters: MAX_TAG_CHARACTERS });
  }
}
